/**
 * What lies between programs and the store: messages take time, get lost, overtake each other, and
 * are cut off. Who is on another side than the store reaches those of its own side only, as where
 * one server of a cluster is cut off together with its clients.
 */
import type { Heartbeat, HostName, LeaseGrant, Orders, Ping } from "@evm/fleet";
import type { SimulatedProcess } from "./process.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Timeline } from "./timeline.ts";
import { Verbs } from "./verbs.ts";

/** The store's own name on the network. */
export const STORE = "store";
/** A host's. */
export const hostAddress = (host: HostName): string => `host/${host}`;
/** The side of the store, where everybody is unless cut off. */
const STORE_SIDE = 0;

/** What the network does to every message; the faults of a seed change it. */
export type Conditions = {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  /** How often a message to a coordinator or a host is lost. */
  readonly lossRate: number;
  /** How often a request is carried out and its answer lost. */
  readonly answerLossRate: number;
  /** How often coordinators do not hear each other, beside other losses. */
  readonly pingLossRate: number;
  /** By how much more a coordinator's view trails the store, at most. */
  readonly maxViewLagMs: number;
  /** How often a host is given orders from before the newest. */
  readonly staleOrdersRate: number;
  /** How long the store takes for each request, at most. */
  readonly maxStoreMs: number;
  /** How often a commit is refused for no fault of its own. */
  readonly rejectRate: number;
};

export const CALM: Conditions = {
  minDelayMs: 1,
  maxDelayMs: 5,
  lossRate: 0,
  answerLossRate: 0,
  pingLossRate: 0,
  maxViewLagMs: 0,
  staleOrdersRate: 0,
  maxStoreMs: 0,
  rejectRate: 0,
};

/** Who sends and hears: one life of one program. */
export type Endpoint = { readonly name: string; readonly process: SimulatedProcess };

type Listener<Input, Output> = {
  readonly endpoint: Endpoint;
  readonly call: (input: Input) => Output;
};

/** How many earlier orders of a host may still come to it. */
const KEPT_ORDERS = 4;

/** What of the servers between programs is away. */
export type Outage =
  /** The streams have no leader: what is asked of the store is not answered, messages still go. */
  | "store"
  /** Every server is down: nothing goes. */
  | "bus";

export class Network {
  conditions: Conditions = CALM;
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly verbs = new Verbs(this);
  /** Of those that are cut off: the side of the last cut is where they are. */
  readonly #sides = new Map<string, number[]>();
  readonly #deaf = new Set<string>();
  readonly #mute = new Set<string>();
  readonly #heartbeats = new Set<Listener<Heartbeat, LeaseGrant | undefined>>();
  readonly #pings = new Set<Listener<Ping, void>>();
  readonly #outages = new Set<Outage>();
  readonly #onHeal = new Set<() => void>();
  readonly #onChange = new Set<() => void>();
  /** Of each listener, when it last heard each host. */
  readonly #heardAtMs = new Map<string, Map<HostName, number>>();
  readonly #orders = new Map<HostName, Orders[]>();
  /** Until when each host was promised that nobody else runs what it runs; in true time. */
  readonly leasedUntilMs = new Map<HostName, number>();

  readonly #onGrant: () => void;

  /** @param onGrant called whenever a host is promised a lease */
  constructor(timeline: Timeline, random: SeededRandom, onGrant: () => void) {
    this.timeline = timeline;
    this.random = random;
    this.#onGrant = onGrant;
  }

  /** Something of the servers goes away, or comes back. */
  setOutage(outage: Outage, isAway: boolean): void {
    if (this.#outages.has(outage) === isAway) return;
    if (isAway) this.#outages.add(outage);
    else this.#outages.delete(outage);
    this.#changed();
    if (!isAway) this.#healed();
  }

  /** False while the store answers nothing that is asked of it. */
  get isStoreThere(): boolean {
    return this.#outages.size === 0;
  }

  /** Puts somebody on another side than the store, until what it returns is called. */
  moveTo(side: number, name: string): () => void {
    const sides = this.#sides.get(name) ?? [];
    this.#sides.set(name, sides);
    sides.push(side);
    this.#changed();
    return () => {
      sides.splice(sides.indexOf(side), 1);
      if (sides.length === 0) this.#sides.delete(name);
      this.#changed();
      this.#healed();
    };
  }

  /** Cuts somebody off in one direction: it is heard and hears nothing, or the other way round. */
  impair(name: string, how: "deaf" | "mute" | undefined): void {
    this.#deaf.delete(name);
    this.#mute.delete(name);
    if (how === "deaf") this.#deaf.add(name);
    if (how === "mute") this.#mute.add(name);
    this.#changed();
    if (how === undefined) this.#healed();
  }

  /** When somebody last heard of a host; 0 where never. */
  heardAtMs(host: HostName, by: string): number {
    return this.#heardBy(by).get(host) ?? 0;
  }

  reachesStore(name: string): boolean {
    return this.#carries(name, STORE) && this.#carries(STORE, name);
  }

  /** Calls `heal` whenever somebody comes back. */
  onHeal(heal: () => void, signal: AbortSignal): void {
    listen(this.#onHeal, heal, signal);
  }

  /** Calls `look` whenever somebody is cut off or comes back. */
  onChange(look: () => void, signal: AbortSignal): void {
    listen(this.#onChange, look, signal);
  }

  /** Carries one message, which sets out after `lagMs`; `arrive` is called unless it is lost. */
  send(from: string, to: string, lagMs: number, arrive: () => void): void {
    if (this.conditions.lossRate > 0 && this.random.chance(this.conditions.lossRate)) return;
    this.follow(from, to, lagMs, arrive);
  }

  /** As `send`, for what is sent again when it is lost. */
  follow(from: string, to: string, lagMs: number, arrive: () => void): void {
    const { minDelayMs, maxDelayMs } = this.conditions;
    this.timeline.after(lagMs + this.random.between(minDelayMs, maxDelayMs), () => {
      if (this.#carries(from, to)) arrive();
    });
  }

  onHeartbeat(listener: Listener<Heartbeat, LeaseGrant | undefined>, signal: AbortSignal): void {
    listen(this.#heartbeats, listener, signal);
  }

  onPing(listener: Listener<Ping, void>, signal: AbortSignal): void {
    listen(this.#pings, listener, signal);
  }

  ping({ name: from }: Endpoint, ping: Ping): void {
    for (const { endpoint, call } of this.#pings) {
      const { name: to, process } = endpoint;
      if (to === from || this.random.chance(this.conditions.pingLossRate)) continue;
      this.send(from, to, 0, () => process.receive(() => call(ping)));
    }
  }

  /** Sends a heartbeat to everybody who listens; `answer` is called with every grant. */
  heartbeat(
    { name: from, process }: Endpoint,
    heartbeat: Heartbeat,
    answer: (grant: LeaseGrant) => void,
  ): void {
    const sentAtMs = this.timeline.nowMs;
    const granted = ({ leaseMs }: LeaseGrant) => {
      const before = this.leasedUntilMs.get(heartbeat.host) ?? 0;
      if (process.signal.aborted) return;
      this.leasedUntilMs.set(heartbeat.host, Math.max(before, sentAtMs + leaseMs));
      this.#onGrant();
    };
    for (const { endpoint, call } of this.#heartbeats) {
      const { name: to, process: listener } = endpoint;
      const hear = () => {
        this.#heardBy(to).set(heartbeat.host, this.timeline.nowMs);
        const grant = call(heartbeat);
        if (grant === undefined) return;
        this.send(to, from, 0, () => {
          granted(grant);
          process.receive(() => answer(grant));
        });
      };
      this.send(from, to, 0, () => listener.receive(hear));
    }
  }

  #heardBy(name: string): Map<HostName, number> {
    const known = this.#heardAtMs.get(name) ?? new Map();
    this.#heardAtMs.set(name, known);
    return known;
  }

  /** Remembers orders that were committed, so that old ones can come again. */
  remember(orders: Orders): void {
    const kept = this.#orders.get(orders.host) ?? [];
    kept.push(orders);
    if (kept.length > KEPT_ORDERS) kept.shift();
    this.#orders.set(orders.host, kept);
  }

  /** Those that were committed are lost: none of them comes again. */
  forgetOrders(): void {
    this.#orders.clear();
  }

  /** What a host is given to read where the newest are `newest`. */
  ordersFor(host: HostName, newest: Orders | undefined): Orders | undefined {
    if (!this.random.chance(this.conditions.staleOrdersRate)) return newest;
    return this.random.pick(this.#orders.get(host) ?? []) ?? newest;
  }

  #carries(from: string, to: string): boolean {
    if (this.#outages.has("bus")) return false;
    const isTogether = this.#sides.size === 0 || this.#side(from) === this.#side(to);
    return isTogether && !this.#mute.has(from) && !this.#deaf.has(to);
  }

  #side(name: string): number {
    return this.#sides.get(name)?.at(-1) ?? STORE_SIDE;
  }

  #changed(): void {
    for (const look of [...this.#onChange]) look();
  }

  #healed(): void {
    for (const heal of [...this.#onHeal]) heal();
  }
}

function listen<Item>(items: Set<Item>, item: Item, signal: AbortSignal): void {
  items.add(item);
  signal.addEventListener("abort", () => items.delete(item), { once: true });
}
