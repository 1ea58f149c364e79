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
import type {
  ClaimOutcome,
  CommitOutcome,
  CommitRequest,
  ControlState,
  CoordinatorStore,
  EventQuery,
  HostStream,
  HostVerb,
  RestoreOutcome,
  RestoreRequest,
  Write,
  WriteOutcome,
} from "@evm/store";
import { Link, type LinkOptions, NEVER, REQUEST_TIMEOUT_MS } from "./link.ts";
import { hostAddress, STORE } from "./network.ts";

type Known = {
  readonly control: ControlState;
  readonly reports: ReadonlyMap<HostName, Report>;
};

export type CoordinatorLinkOptions = LinkOptions<CoordinatorStore> & {
  /** Called when it begins to commit orders, whatever comes of that. */
  readonly onCommit: () => void;
  /** Called when a restore was written, whether or not who wrote it hears of it. */
  readonly onRestored: () => void;
};

/** The store as one life of a coordinator reaches it; its view trails what the store holds. */
export class CoordinatorLink extends Link<CoordinatorStore> implements CoordinatorStore {
  readonly #onCommit: () => void;
  readonly #onRestored: () => void;
  readonly #wakes = new Set<() => void>();
  #known: Known;
  /** Views may overtake each other; an older one is not taken again. */
  #sent = 0;
  #received = 0;

  constructor(options: CoordinatorLinkOptions) {
    super(options);
    this.#onCommit = options.onCommit;
    this.#onRestored = options.onRestored;
    this.#known = this.#present();
    const { signal } = this.endpoint.process;
    this.server.watch(() => this.#follow(), signal);
    this.network.onHeal(() => this.#follow(), signal);
  }

  control(): ControlState {
    return this.#known.control;
  }

  reports(): ReadonlyMap<HostName, Report> {
    return this.#known.reports;
  }

  caughtUp(revision: number, signal: AbortSignal): Promise<void> {
    const doing = `waiting for revision ${revision}`;
    const over = new AbortController();
    return this.wait<void>(doing, signal, REQUEST_TIMEOUT_MS, ({ resolve }) => {
      const look = () => {
        if (this.#known.control.revision >= revision) resolve();
      };
      this.watch(look, over.signal);
      look();
    }).finally(() => over.abort());
  }

  async catchUp(signal: AbortSignal): Promise<void> {
    const doing = "looking how far the control state goes";
    const { revision } = await this.request(doing, signal, async () => this.server.control());
    await this.caughtUp(revision, signal);
  }

  watch(wake: () => void, signal: AbortSignal): void {
    this.#wakes.add(wake);
    signal.addEventListener("abort", () => this.#wakes.delete(wake), { once: true });
  }

  claimEpoch(leader: string, expected: number, signal: AbortSignal): Promise<ClaimOutcome> {
    return this.request("claiming the epoch", signal, () =>
      this.server.claimEpoch(leader, expected, NEVER),
    );
  }

  commit(request: CommitRequest, signal: AbortSignal): Promise<CommitOutcome> {
    const { random, conditions } = this.network;
    if (request.orders.length > 0) this.#onCommit();
    return this.request("committing orders", signal, () =>
      random.chance(conditions.rejectRate)
        ? Promise.resolve({ kind: "rejected", reason: "somebody wrote in between" } as const)
        : this.server.commit(request, NEVER),
    );
  }

  restore(request: RestoreRequest, signal: AbortSignal): Promise<RestoreOutcome> {
    return this.request("restoring", signal, async () => {
      const outcome = await this.server.restore(request, NEVER);
      if (outcome.kind === "committed") this.#onRestored();
      return outcome;
    });
  }

  putFleets(writes: readonly Write<FleetRecord>[], signal: AbortSignal): Promise<WriteOutcome> {
    return this.request("writing fleets", signal, () => this.server.putFleets(writes, NEVER));
  }

  putImage(image: Image, expected: number, signal: AbortSignal): Promise<WriteOutcome> {
    return this.request("writing an image", signal, () =>
      this.server.putImage(image, expected, NEVER),
    );
  }

  removeImage(name: ImageName, expected: number, signal: AbortSignal): Promise<WriteOutcome> {
    return this.request("removing an image", signal, () =>
      this.server.removeImage(name, expected, NEVER),
    );
  }

  putHost(host: HostRecord, expected: number, signal: AbortSignal): Promise<WriteOutcome> {
    return this.request("writing a host", signal, () => this.server.putHost(host, expected, NEVER));
  }

  listEvents(query: EventQuery, signal: AbortSignal): Promise<readonly StoredEvent[]> {
    return this.request("listing events", signal, () => this.server.listEvents(query, NEVER));
  }

  watchEvents(query: EventQuery, signal: AbortSignal): AsyncIterable<StoredEvent> {
    return this.server.watchEvents(query, signal);
  }

  onHeartbeat(call: (heartbeat: Heartbeat) => LeaseGrant | undefined, signal: AbortSignal): void {
    this.network.onHeartbeat({ endpoint: this.endpoint, call }, signal);
  }

  ping(ping: Ping): void {
    this.network.ping(this.endpoint, ping);
  }

  onPing(call: (ping: Ping) => void, signal: AbortSignal): void {
    this.network.onPing({ endpoint: this.endpoint, call }, signal);
  }

  openVerb(
    host: HostName,
    verb: HostVerb,
    request: Uint8Array,
    signal: AbortSignal,
  ): Promise<HostStream> {
    const asked = { to: hostAddress(host), verb, request, signal };
    return this.wait<HostStream>(`${verb} of host ${host}`, signal, REQUEST_TIMEOUT_MS, (settle) =>
      this.network.verbs.open(this.endpoint, asked, settle),
    );
  }

  #present(): Known {
    return { control: this.server.control(), reports: this.server.reports() };
  }

  #follow(): void {
    const { network, endpoint } = this;
    const known = this.#present();
    const number = ++this.#sent;
    const receive = () => {
      if (number <= this.#received) return;
      this.#received = number;
      this.#known = known;
      for (const wake of [...this.#wakes]) wake();
    };
    const lagMs = network.random.between(0, network.conditions.maxViewLagMs);
    network.follow(STORE, endpoint.name, lagMs, () => endpoint.process.deliver(receive));
  }
}
