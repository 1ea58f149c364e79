/**
 * Sees the world as it truly is, for the oracles: what changed since the last look, and an index by
 * instance that is kept up to date with it, since to look at a thousand instances after every
 * change would take far longer than the change. A full look makes everything anew.
 */
import { ordersCodec } from "@evm/codec";
import type { Digest, HostName, InstanceName, Orders, Resources } from "@evm/fleet";
import type { ControlState } from "@evm/store";
import type { ControlTruth } from "./control-truth.ts";
import type { SimulatedHost } from "./host.ts";
import type { Network } from "./network.ts";
import {
  type HostTruth,
  isUp,
  type Places,
  type Restore,
  type Truth,
  withoutSame,
} from "./oracles/truth.ts";

type Mutable<Item> = { -readonly [Key in keyof Item]: Item[Key] };
type MutablePlaces = {
  readonly ordered: Mutable<Places["ordered"][number]>[];
  readonly existing: Mutable<Places["existing"][number]>[];
};

export type ObserverOptions = {
  readonly controlTruth: ControlTruth;
  readonly hosts: readonly SimulatedHost[];
  readonly network: Network;
  readonly resources: ReadonlyMap<Digest, Resources>;
};

export class Observer {
  readonly #options: ObserverOptions;
  readonly #changed: Set<SimulatedHost>;
  readonly #hosts = new Map<HostName, HostTruth>();
  readonly #orders = new Map<HostName, Orders>();
  /** As a restore wrote them, and nobody has since. */
  readonly #restored = new Map<HostName, Orders>();
  readonly #places = new Map<InstanceName, MutablePlaces>();
  /** Run on another host than they are ordered to: what leases promise is at stake. */
  readonly #misplaced = new Set<InstanceName>();
  readonly #decoded = new WeakMap<Uint8Array, Orders>();
  #control: ControlState | undefined;
  #isControlChanged = true;

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#changed = new Set(options.hosts);
  }

  hostChanged(host: SimulatedHost): void {
    this.#changed.add(host);
  }

  controlChanged(): void {
    this.#isControlChanged = true;
  }

  /** A host was promised a lease. */
  leaseGranted(): void {
    if (this.#misplaced.size > 0) this.#isControlChanged = true;
  }

  get isChanged(): boolean {
    return this.#isControlChanged || this.#changed.size > 0;
  }

  /** What is true now, and what changed since the last look. */
  look(): Truth {
    const names = new Set(this.#misplaced);
    const before = this.#control;
    const control = this.#isControlChanged ? this.#read() : (before ?? this.#read());
    const orders = before?.orders === control.orders ? [] : this.#newOrders(control, names);
    const hosts = [...this.#changed].map((host) => this.#newHost(host, names));
    for (const name of names) this.#judge(name);
    this.#control = control;
    this.#isControlChanged = false;
    this.#changed.clear();
    const restore = this.#options.controlTruth.takeRestore();
    this.#noteRestored(orders, restore);
    const areRecords = before?.fleets !== control.fleets || before.hosts !== control.hosts;
    return this.#truth(control, { orders, hosts, names, areRecords, restore });
  }

  /** What was true at the last look, as if nothing had changed with it. */
  still(): Truth {
    const unchanged = { orders: [], hosts: [], names: new Set<InstanceName>() };
    const changes = { ...unchanged, areRecords: false, restore: undefined };
    return this.#truth(this.#control ?? this.#read(), changes);
  }

  /** Everything, looked at anew. */
  lookAtAll(): Truth {
    this.#hosts.clear();
    this.#orders.clear();
    this.#places.clear();
    this.#control = undefined;
    this.#isControlChanged = true;
    for (const host of this.#options.hosts) this.#changed.add(host);
    return this.look();
  }

  #read(): ControlState {
    return this.#options.controlTruth.control();
  }

  #truth(control: ControlState, changes: Truth["changes"]): Truth {
    const { network, resources, controlTruth } = this.#options;
    const { nowMs } = network.timeline;
    const left = controlTruth.isLost ? controlTruth.stored() : undefined;
    const [hosts, places, restored] = [this.#hosts, this.#places, this.#restored];
    return { nowMs, control, left, hosts, resources, places, restored, changes };
  }

  #noteRestored(changed: readonly Orders[], restore: Restore | undefined): void {
    if (restore?.isOfLoss === true) this.#restored.clear();
    for (const orders of changed) {
      if (restore !== undefined) this.#restored.set(orders.host, orders);
      else if (this.#restored.get(orders.host) !== orders) this.#restored.delete(orders.host);
    }
  }

  #newOrders(control: ControlState, names: Set<InstanceName>): readonly Orders[] {
    const changed: Orders[] = [];
    for (const [host, { instances }] of this.#orders) {
      if (!control.orders.has(host)) this.#forgetOrders(host, instances, names);
    }
    for (const [host, { value }] of control.orders) {
      const before = this.#orders.get(host);
      if (before === value) continue;
      changed.push(value);
      this.#forgetOrders(host, before?.instances ?? [], names);
      this.#orders.set(host, value);
    }
    for (const { host, instances } of changed) {
      for (const one of instances) {
        names.add(one.name);
        this.#placesOf(one.name).ordered.push({ host, one });
      }
    }
    return changed;
  }

  #forgetOrders(host: HostName, instances: Orders["instances"], names: Set<InstanceName>): void {
    this.#orders.delete(host);
    for (const one of instances) {
      names.add(one.name);
      remove(this.#placesOf(one.name).ordered, one);
    }
  }

  #newHost(host: SimulatedHost, names: Set<InstanceName>): HostTruth {
    const { name } = host;
    const instances = host.runtime.instances();
    const before = this.#hosts.get(name);
    this.#noteExisting(name, { before: before?.instances ?? [], now: instances }, names);
    const truth: HostTruth = {
      name,
      capacity: host.capacity,
      instances,
      accepted: this.#acceptedBy(host),
      leasedUntilMs: () => this.#options.network.leasedUntilMs.get(name) ?? 0,
      excuses: (instance, sinceMs) => host.excuses(instance, sinceMs),
    };
    this.#hosts.set(name, truth);
    return truth;
  }

  /** Of twenty that exist on a host one changes at a time: the others are the same objects. */
  #noteExisting(
    host: HostName,
    { before, now }: Readonly<Record<"before" | "now", HostTruth["instances"]>>,
    names: Set<InstanceName>,
  ): void {
    for (const one of withoutSame(before, now)) {
      names.add(one.name);
      remove(this.#placesOf(one.name).existing, one);
    }
    for (const one of withoutSame(now, before)) {
      names.add(one.name);
      this.#placesOf(one.name).existing.push({ host, one });
    }
  }

  #judge(name: InstanceName): void {
    const { ordered, existing } = this.#placesOf(name);
    if (ordered.length + existing.length === 0) this.#places.delete(name);
    const isMisplaced = existing.some(
      ({ host, one }) =>
        isUp(one) && ordered.some((entry) => entry.host !== host && entry.one.desired === "run"),
    );
    if (isMisplaced) this.#misplaced.add(name);
    else this.#misplaced.delete(name);
  }

  #placesOf(name: InstanceName): MutablePlaces {
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const places = { ordered: [], existing: [] };
    this.#places.set(name, places);
    return places;
  }

  #acceptedBy({ disk }: SimulatedHost): Orders | undefined {
    const content = disk.file("orders.binpb");
    if (content === undefined) return undefined;
    const known = this.#decoded.get(content) ?? ordersCodec.decode(content);
    this.#decoded.set(content, known);
    return known;
  }
}

/** Takes it out. */
function remove<One>(places: { readonly one: One }[], one: One): void {
  const at = places.findIndex((place) => place.one === one);
  if (at >= 0) places.splice(at, 1);
}
