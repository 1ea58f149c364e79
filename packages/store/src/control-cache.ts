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
  readonly #live = new SnapshotMap<Key, Versioned<Value>>();
  readonly #removals = new Map<Key, number>();

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
  readonly fleets = new Table<FleetName, FleetRecord>();
  readonly images = new Table<ImageName, Image>();
  readonly hosts = new Table<HostName, HostRecord>();
  readonly orders = new Table<HostName, Orders>();
  epoch: Epoch = { epoch: 0, base: 0, leader: "" };
  revision = 0;

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
