/** `control` as last known, kept by key; handed out as immutable states. */
import type {
  FleetName,
  FleetRecord,
  HostName,
  HostRecord,
  Image,
  ImageName,
  Orders,
} from "@evm/fleet";
import { SnapshotMap } from "./snapshot-map.ts";
import type { ControlState, Epoch, Versioned } from "./store.ts";

/** Values by key. Remembers the revisions of removals: creating anew must name them (S3). */
export class Table<Key, Value> {
  readonly #live: SnapshotMap<Key, Versioned<Value>>;
  readonly #removals = new Map<Key, number>();

  constructor(values: ReadonlyMap<Key, Versioned<Value>> = new Map()) {
    this.#live = new SnapshotMap(values);
  }

  get(key: Key): Value | undefined {
    return this.#live.get(key)?.value;
  }

  put(key: Key, value: Value, revision: number): void {
    this.#live.set(key, { value, revision });
    this.#removals.delete(key);
  }

  remove(key: Key, revision: number): void {
    this.#live.delete(key);
    this.#removals.set(key, revision);
  }

  /** The revision that a write must name: 0 where there is no value. */
  revision(key: Key): number {
    return this.#live.get(key)?.revision ?? 0;
  }

  /** The revision of the last removal where there is no value, else 0. */
  removal(key: Key): number {
    return this.#removals.get(key) ?? 0;
  }

  snapshot(): ReadonlyMap<Key, Versioned<Value>> {
    return this.#live.snapshot();
  }
}

export class ControlCache {
  readonly fleets: Table<FleetName, FleetRecord>;
  readonly images: Table<ImageName, Image>;
  readonly hosts: Table<HostName, HostRecord>;
  readonly orders: Table<HostName, Orders>;
  epoch: Epoch;
  revision: number;

  /** @param state what it begins with; nothing by default */
  constructor({ revision, epoch, fleets, images, hosts, orders }: Partial<ControlState> = {}) {
    this.revision = revision ?? 0;
    this.epoch = epoch ?? { epoch: 0, base: 0, leader: "" };
    this.fleets = new Table(fleets);
    this.images = new Table(images);
    this.hosts = new Table(hosts);
    this.orders = new Table(orders);
  }

  state(): ControlState {
    return {
      revision: this.revision,
      epoch: this.epoch,
      fleets: this.fleets.snapshot(),
      images: this.images.snapshot(),
      hosts: this.hosts.snapshot(),
      orders: this.orders.snapshot(),
    };
  }
}
