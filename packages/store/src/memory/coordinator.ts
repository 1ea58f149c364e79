import { ordersCodec } from "@evm/codec";
import type {
  FleetRecord,
  Heartbeat,
  HostName,
  HostRecord,
  Image,
  ImageName,
  LeaseGrant,
  Ping,
  Report,
  StoredEvent,
} from "@evm/fleet";
import { History } from "../history.ts";
import { checkSize, checkWriteCount, commitWriteCount } from "../limits.ts";
import {
  type ClaimOutcome,
  type CommitOutcome,
  type CommitRequest,
  type ControlState,
  type CoordinatorStore,
  type EventQuery,
  type HostStream,
  type HostVerb,
  MAX_ORDERS_BYTES,
  type RestoreOutcome,
  type RestoreRequest,
  type Write,
  type WriteOutcome,
} from "../store.ts";
import { MemoryClient } from "./client.ts";
import { coordinatorKey } from "./participant.ts";
import type { World } from "./world.ts";

/** A coordinator's view of an in-memory store. */
export class MemoryCoordinator extends MemoryClient implements CoordinatorStore {
  /** Of the control state when it connected. */
  readonly #life: number;
  readonly #history = new History();

  constructor(world: World, id: string) {
    super(world, coordinatorKey(id));
    this.#life = world.life;
  }

  control(): ControlState {
    return this.world.known(this.participant, this.#life).control;
  }

  reports(): ReadonlyMap<HostName, Report> {
    return this.world.known(this.participant, this.#life).reports;
  }

  async caughtUp(revision: number, signal: AbortSignal): Promise<void> {
    const isThere = () => this.control().revision >= revision;
    const doing = `waiting for revision ${revision}`;
    await this.world.wakeups.until(isThere, doing, this.whileOpen(signal));
  }

  watch(wake: () => void, signal: AbortSignal): void {
    const wakeIfConnected = () => {
      if (this.isConnected) wake();
    };
    this.world.wakeups.add(wakeIfConnected, this.whileOpen(signal));
  }

  async claimEpoch(
    leader: string,
    expectedEpoch: number,
    signal: AbortSignal,
  ): Promise<ClaimOutcome> {
    this.reach("claiming the epoch", signal);
    return this.#write(() => this.world.claimEpoch(leader, expectedEpoch));
  }

  async catchUp(signal: AbortSignal): Promise<void> {
    this.reach("looking how far the control state goes", signal);
    const { revision } = this.world.control;
    this.#history.follow(this.control().revision, revision);
    await this.caughtUp(revision, signal);
  }

  async commit(request: CommitRequest, signal: AbortSignal): Promise<CommitOutcome> {
    this.reach("committing orders", signal);
    checkWriteCount("committing orders", commitWriteCount(request));
    checkOrders(request);
    return this.#write(() => this.world.commit(request));
  }

  async restore(request: RestoreRequest, signal: AbortSignal): Promise<RestoreOutcome> {
    const { fleets, images, hosts, orders } = request;
    const count = fleets.length + images.length + hosts.length + orders.length;
    this.reach("restoring", signal);
    checkWriteCount("restoring", count);
    checkOrders(request);
    return this.#write(() => this.world.restore(request));
  }

  async putFleets(
    writes: readonly Write<FleetRecord>[],
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    this.reach("writing fleets", signal);
    checkWriteCount("writing fleets", writes.length);
    const { fleets } = this.world.control;
    return this.#write(() => this.world.put(fleets, (fleet) => fleet.spec.name, writes));
  }

  async putImage(
    value: Image,
    expectedRevision: number,
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    this.reach(`writing image ${value.name}`, signal);
    const write = { value, expectedRevision };
    const { images } = this.world.control;
    return this.#write(() => this.world.put(images, (image) => image.name, [write]));
  }

  async removeImage(
    name: ImageName,
    expectedRevision: number,
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    this.reach(`removing image ${name}`, signal);
    const { images } = this.world.control;
    return this.#write(() => this.world.remove(images, name, expectedRevision));
  }

  async putHost(
    value: HostRecord,
    expectedRevision: number,
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    this.reach(`writing host ${value.name}`, signal);
    const write = { value, expectedRevision };
    const { hosts } = this.world.control;
    return this.#write(() => this.world.put(hosts, (host) => host.name, [write]));
  }

  async listEvents(query: EventQuery, signal: AbortSignal): Promise<readonly StoredEvent[]> {
    this.reach("listing events", signal);
    return this.world.events.list(query);
  }

  watchEvents(query: EventQuery, signal: AbortSignal): AsyncIterable<StoredEvent> {
    return this.world.events.watch(query, this.whileOpen(signal));
  }

  onHeartbeat(answer: (heartbeat: Heartbeat) => LeaseGrant | undefined, signal: AbortSignal): void {
    const listener = { participant: this.participant, call: answer };
    listen(this.world.heartbeats, listener, this.whileOpen(signal));
  }

  ping(ping: Ping): void {
    if (this.isConnected) this.world.ping(ping, this.participant);
  }

  onPing(listener: (ping: Ping) => void, signal: AbortSignal): void {
    const { participant } = this;
    listen(this.world.pings, { participant, call: listener }, this.whileOpen(signal));
  }

  async openVerb(
    host: HostName,
    verb: HostVerb,
    request: Uint8Array,
    signal: AbortSignal,
  ): Promise<HostStream> {
    this.reach(`${verb} of host ${host}`, signal);
    return this.world.verbs.open(this.participant, host, verb, request, this.whileOpen(signal));
  }

  #write<Outcome extends { readonly kind: string; readonly revision?: number }>(
    write: () => Outcome,
  ): Outcome {
    this.#history.ensure();
    const known = this.control().revision;
    const outcome = write();
    if (outcome.revision !== undefined) this.#history.follow(known, outcome.revision);
    return outcome;
  }
}

function checkOrders({ orders }: Pick<CommitRequest, "orders">): void {
  for (const { value } of orders) {
    checkSize(`orders of host ${value.host}`, ordersCodec.encode(value).length, MAX_ORDERS_BYTES);
  }
}

function listen<Listener>(listeners: Set<Listener>, listener: Listener, signal: AbortSignal): void {
  if (signal.aborted) return;
  listeners.add(listener);
  signal.addEventListener("abort", () => listeners.delete(listener), { once: true });
}
