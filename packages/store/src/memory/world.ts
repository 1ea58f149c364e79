/** What the participants of an in-memory store share. Synchronous: nothing happens in between. */
import type {
  Digest,
  EventRecord,
  Heartbeat,
  HostName,
  LeaseGrant,
  Orders,
  Ping,
  Report,
} from "@evm/fleet";
import { ControlCache, type Table } from "../control-cache.ts";
import { EventLog } from "../event-log.ts";
import { SnapshotMap } from "../snapshot-map.ts";
import type {
  ClaimOutcome,
  CommitOutcome,
  CommitRequest,
  ControlState,
  RestoreOutcome,
  RestoreRequest,
  Write,
  WriteOutcome,
} from "../store.ts";
import { Wakeups } from "../wakeups.ts";
import type { Participant } from "./participant.ts";
import { Verbs } from "./verbs.ts";

type Listener<Input, Output> = {
  readonly participant: Participant;
  readonly call: (input: Input) => Output;
};

const isUnique = (keys: readonly unknown[]): boolean => new Set(keys).size === keys.length;

const rejected = (reason: string) => ({ kind: "rejected", reason }) as const;

/** Writes to one table: whether they still may be made, and how. */
function part<Key, Value>(
  table: Table<Key, Value>,
  keyOf: (value: Value) => Key,
  writes: readonly Write<Value>[],
) {
  const isExpected = ({ value, expectedRevision }: Write<Value>) =>
    table.revision(keyOf(value)) === expectedRevision;
  return {
    isCurrent: writes.every(isExpected) && isUnique(writes.map(({ value }) => keyOf(value))),
    write(nextRevision: () => number): void {
      for (const { value } of writes) table.put(keyOf(value), value, nextRevision());
    },
  };
}

export type Known = {
  readonly control: ControlState;
  readonly reports: ReadonlyMap<HostName, Report>;
};

export class World {
  control = new ControlCache();
  readonly #reports = new SnapshotMap<HostName, Report>();
  /** What was there when the control state was lost, each time that it was. */
  readonly #lives: Known[] = [];
  readonly blobs = new Map<Digest, readonly Uint8Array[]>();
  readonly events = new EventLog();
  readonly wakeups = new Wakeups();
  /** Of hosts, each for its own orders. */
  readonly #ordersWakeups = new Map<HostName, Wakeups>();
  readonly heartbeats = new Set<Listener<Heartbeat, LeaseGrant | undefined>>();
  readonly verbs = new Verbs((participant) => this.isConnected(participant));
  readonly pings = new Set<Listener<Ping, void>>();
  readonly #reconnects = new Set<Listener<void, void>>();
  /** Those who are cut off, with what they knew then. */
  readonly #cut = new Map<Participant, Known>();

  isConnected(participant: Participant): boolean {
    return !this.#cut.has(participant);
  }

  /** Counts the losses of the control state. */
  get life(): number {
    return this.#lives.length;
  }

  /**
   * What a participant sees: the present, or while cut off what it saw last.
   *
   * @param life in which it connected: it follows no control state that went back
   */
  known(participant: Participant, life: number): Known {
    const known = this.#cut.get(participant) ?? this.#present();
    const kept = this.#lives[life];
    if (kept === undefined || kept.control.revision < known.control.revision) return known;
    return { control: kept.control, reports: new Map([...kept.reports, ...known.reports]) };
  }

  /** The control state is that of a backup from now on, or nothing is left, of reports neither. */
  loseControl(backup: ControlState | undefined): void {
    this.#lives.push(this.#present());
    this.control = new ControlCache(backup);
    if (backup === undefined) {
      for (const host of this.#reports.snapshot().keys()) this.#reports.delete(host);
    }
    this.wakeups.wakeAll();
    for (const wakeups of this.#ordersWakeups.values()) wakeups.wakeAll();
  }

  disconnect(participant: Participant): void {
    if (!this.#cut.has(participant)) this.#cut.set(participant, this.#present());
    this.verbs.cut(participant);
    this.wakeups.wakeAll();
  }

  reconnect(participant: Participant): void {
    this.#cut.delete(participant);
    this.wakeups.wakeAll();
    for (const { participant: who, call } of this.#reconnects) if (who === participant) call();
    for (const wakeups of this.#ordersWakeups.values()) wakeups.wakeAll();
  }

  onReconnect(participant: Participant, call: () => void, signal: AbortSignal): void {
    const listener = { participant, call };
    this.#reconnects.add(listener);
    signal.addEventListener("abort", () => this.#reconnects.delete(listener), { once: true });
  }

  claimEpoch(leader: string, expectedEpoch: number): ClaimOutcome {
    const { epoch, base } = this.control.epoch;
    if (epoch !== expectedEpoch) return { kind: "conflict" };
    return { kind: "written", ...this.#nextEpoch(leader, base) };
  }

  restore(request: RestoreRequest): RestoreOutcome {
    const { epoch } = this.control.epoch;
    if (request.epoch !== epoch) return rejected(`epoch ${request.epoch} is over, now is ${epoch}`);
    const { fleets, images, hosts, orders } = this.control;
    const parts = [
      part(fleets, (fleet) => fleet.spec.name, request.fleets),
      part(images, (image) => image.name, request.images),
      part(hosts, (host) => host.name, request.hosts),
      part(orders, (one) => one.host, request.orders),
    ];
    if (!parts.every(({ isCurrent }) => isCurrent)) return rejected("others wrote in between");
    for (const { write } of parts) write(() => this.#nextRevision());
    for (const { value } of request.orders) this.ordersWakeups(value.host).wakeAll();
    return { kind: "committed", ...this.#nextEpoch(request.by, request.base) };
  }

  commit(request: CommitRequest): CommitOutcome {
    const { epoch } = this.control.epoch;
    if (request.epoch !== epoch) return rejected(`epoch ${request.epoch} is over, now is ${epoch}`);
    const { fleets, orders } = this.control;
    if (!isUnique(request.orders.map(({ value }) => value.host))) {
      return rejected("orders of one host come twice");
    }
    for (const { value, expectedRevision } of request.orders) {
      const actual = orders.revision(value.host);
      if (actual !== expectedRevision) {
        return rejected(`orders of ${value.host}: revision ${actual}, not ${expectedRevision}`);
      }
    }
    const writtenFleets = request.fleets.map(({ value, expectedRevision }) => ({
      name: value.spec.name,
      expectedRevision,
    }));
    const touchedFleets = [...writtenFleets, ...request.forgottenFleets];
    if (!isUnique(touchedFleets.map(({ name }) => name))) return rejected("a fleet comes twice");
    for (const { name, expectedRevision } of touchedFleets) {
      const actual = fleets.revision(name);
      if (actual !== expectedRevision) {
        return rejected(`fleet ${name}: revision ${actual}, not ${expectedRevision}`);
      }
    }
    for (const { value } of request.orders) {
      orders.put(value.host, value, this.#nextRevision());
      this.ordersWakeups(value.host).wakeAll();
    }
    for (const { value } of request.fleets) {
      fleets.put(value.spec.name, value, this.#nextRevision());
    }
    for (const { name } of request.forgottenFleets) fleets.remove(name, this.#nextRevision());
    return { kind: "committed", revision: this.control.revision };
  }

  put<Key, Value>(
    table: Table<Key, Value>,
    keyOf: (value: Value) => Key,
    writes: readonly Write<Value>[],
  ): WriteOutcome {
    const { isCurrent, write } = part(table, keyOf, writes);
    if (!isCurrent) return { kind: "conflict" };
    write(() => this.#nextRevision());
    return { kind: "written", revision: this.control.revision };
  }

  remove<Key, Value>(table: Table<Key, Value>, key: Key, expectedRevision: number): WriteOutcome {
    const actual = table.revision(key);
    if (actual === 0 || actual !== expectedRevision) return { kind: "conflict" };
    const revision = this.#nextRevision();
    table.remove(key, revision);
    return { kind: "written", revision };
  }

  ordersOf(host: HostName): Orders | undefined {
    return this.control.orders.get(host);
  }

  ordersWakeups(host: HostName): Wakeups {
    const known = this.#ordersWakeups.get(host) ?? new Wakeups();
    this.#ordersWakeups.set(host, known);
    return known;
  }

  putReport(report: Report): void {
    this.#reports.set(report.host, report);
    this.wakeups.wakeAll();
  }

  appendEvent(event: EventRecord): void {
    this.events.add({ sequence: this.events.lastSequence + 1, event });
  }

  /** Every coordinator that can be reached hears it; the first answer counts. */
  heartbeat(heartbeat: Heartbeat): LeaseGrant | undefined {
    const grants = [...this.heartbeats]
      .filter(({ participant }) => this.isConnected(participant))
      .map(({ call }) => call(heartbeat));
    return grants.find((grant) => grant !== undefined);
  }

  ping(ping: Ping, from: Participant): void {
    for (const { participant, call } of this.pings) {
      if (participant !== from && this.isConnected(participant)) queueMicrotask(() => call(ping));
    }
  }

  #present(): Known {
    return { control: this.control.state(), reports: this.#reports.snapshot() };
  }

  #nextEpoch(leader: string, base: number): { revision: number; epoch: number } {
    const revision = this.#nextRevision();
    const epoch = base + revision;
    this.control.epoch = { epoch, base, leader };
    return { revision, epoch };
  }

  #nextRevision(): number {
    this.control.revision += 1;
    this.wakeups.wakeAll();
    return this.control.revision;
  }
}
