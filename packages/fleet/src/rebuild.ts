/**
 * Rebuilds the control state where the store lost it: fleets, images and hosts from what was kept,
 * orders from the hosts that go by them, for these are what runs.
 *
 *  R1 What a host is ordered to run it is ordered to run afterwards, by the very document that it
 *     goes by; only where one incarnation is ordered on two hosts is one of them left out (I1).
 *     What may not run beside another incarnation is taken in stopped, until that has ended (I2).
 *  R2 What is written wants no such instance replaced, moved, stopped or discarded: where what was
 *     kept says otherwise, it is older, and what is ordered counts.
 *     A record of a control state that is whole is no older: it is changed for the sake of hosts
 *     that are taken in only, and what operators gave up meanwhile stays given up.
 *  R3 What a host which did not answer may run is started afresh or, where its fleet is to wait for
 *     lost hosts, kept stopped. The new incarnations are numbered above it (see `life.ts`).
 *
 * Pure. Everything that an operator may want to look at afterwards is said in a note.
 */
import type { Applied, HostRecord } from "./control.ts";
import type { FleetName, HostName, ImageName } from "./ids.ts";
import type { Image } from "./image.ts";
import type { Orders } from "./orders.ts";
import type { Note } from "./plan.ts";
import { documentsOf, type HostSource, withoutSeconds } from "./rebuild/documents.ts";
import { type Ordered, rebuildFleet } from "./rebuild/rebuild-fleet.ts";
import type { Instant } from "./report.ts";
import { isSame } from "./same.ts";
import type { FleetRecord } from "./snapshot.ts";
import type { FleetSpec } from "./spec.ts";

/** Everything that operators declared; what runs where is with the hosts. */
export type ClusterExport = {
  readonly exportedAt: Instant;
  /** Of the control state when it was exported. */
  readonly epoch: number;
  readonly revision: number;
  /** Each sorted by name. */
  readonly fleets: readonly FleetRecord[];
  readonly images: readonly Image[];
  /** Every host that was known, so that none is forgotten when all are asked; none is lost. */
  readonly hosts: readonly HostRecord[];
};

type Records = Pick<ClusterExport, "fleets" | "images" | "hosts">;

export type RebuildInput = {
  readonly kept: Records;
  readonly stored: Records & { readonly orders: readonly Orders[] };
  /** Which of the two counts where both name the same: `stored` where its memory is whole. */
  readonly prefer: "kept" | "stored";
  /** The orders in force on each host that answered; undefined where it was never ordered any. */
  readonly answers: ReadonlyMap<HostName, Orders | undefined>;
  /** Hosts that did not answer, and the newest orders that they are known to have applied. */
  readonly silent: ReadonlyMap<HostName, Applied>;
  /** For fleets of which only the orders are left. */
  readonly defaults: Pick<FleetSpec, "labels" | "placement" | "update" | "onHostLoss">;
};

export type RebuiltFleet = {
  readonly name: FleetName;
  readonly source: "kept" | "stored" | "orders";
  readonly replicas: number;
  /** How many instances are ordered to run. */
  readonly running: number;
};

export type RebuiltHost = {
  readonly name: HostName;
  readonly source: HostSource;
  /** Zeros where it goes by no orders that are known. */
  readonly epoch: number;
  readonly generation: number;
  readonly running: number;
};

export type Rebuilt = {
  /** What differs from what is stored, and is to be written. */
  readonly fleets: readonly FleetRecord[];
  readonly images: readonly Image[];
  readonly hosts: readonly HostRecord[];
  readonly orders: readonly Orders[];
  readonly notes: readonly Note[];
  /** The whole as it will be, sorted by name. */
  readonly summary: {
    readonly fleets: readonly RebuiltFleet[];
    readonly hosts: readonly RebuiltHost[];
  };
};

export function rebuild(input: RebuildInput): Rebuilt {
  const { kept, stored, prefer } = input;
  const isWhole = prefer === "stored";
  const documents = documentsOf(input);
  const notes: Note[] = [...documents.notes];
  const ordered = byFleet(documents.orders);
  const [first, second] = prefer === "kept" ? [kept, stored] : [stored, kept];
  const records = merged(first.fleets, second.fleets, (fleet) => fleet.spec.name);
  const fleets: FleetRecord[] = [];
  const rows: RebuiltFleet[] = [];
  for (const name of [...new Set([...records.keys(), ...ordered.keys()])].sort()) {
    const record = records.get(name);
    const entries = ordered.get(name) ?? [];
    const isCurrent = isWhole && stored.fleets.some((fleet) => fleet === record);
    const rebuilt = rebuildFleet(name, record, entries, {
      defaults: input.defaults,
      documents: [...documents.orders.values()],
      isAnyMissing: documents.missing.length > 0 && !isCurrent,
      takenIn: isCurrent ? takenIn(documents.orders, stored.orders) : undefined,
    });
    notes.push(...rebuilt.notes);
    if (rebuilt.record === undefined) continue;
    fleets.push(rebuilt.record);
    const isKept = record !== undefined && kept.fleets.includes(record);
    const source = record === undefined ? "orders" : isKept ? "kept" : "stored";
    const running = entries.filter(({ one }) => one.desired === "run").length;
    rows.push({ name, source, replicas: rebuilt.record.spec.replicas, running });
  }
  return {
    fleets: changed(fleets, stored.fleets),
    images: changed(imagesOf(first, second, documents.orders), stored.images),
    hosts: changed(hostsOf(first, second, stored), stored.hosts),
    orders: changed([...documents.orders.values()], stored.orders).map((document) =>
      isWhole ? withoutSeconds(document, stored.orders) : document,
    ),
    notes,
    summary: { fleets: rows, hosts: documents.hosts },
  };
}

function byFleet(orders: ReadonlyMap<HostName, Orders>): ReadonlyMap<FleetName, Ordered[]> {
  const all = [...orders.values()].flatMap((document) =>
    document.instances.map((one): Ordered => ({ document, one })),
  );
  return Map.groupBy(all, ({ one }) => one.fleet);
}

/** Hosts whose orders come from them. */
function takenIn(
  orders: ReadonlyMap<HostName, Orders>,
  stored: readonly Orders[],
): ReadonlySet<HostName> {
  return new Set(changed([...orders.values()], stored).map(({ host }) => host));
}

/** By name; of two records of one name the first list's. */
function merged<Name, Item>(
  first: readonly Item[],
  second: readonly Item[],
  nameOf: (item: Item) => Name,
): ReadonlyMap<Name, Item> {
  return new Map([...second, ...first].map((item) => [nameOf(item), item]));
}

/** Those images too that only instances know by now. */
function imagesOf(
  first: Records,
  second: Records,
  orders: ReadonlyMap<HostName, Orders>,
): readonly Image[] {
  const inUse = [...orders.values()].flatMap(({ templates }) =>
    templates.flatMap(({ image }) => image ?? []),
  );
  const known = merged<ImageName, Image>(first.images, second.images, (image) => image.name);
  const all = merged<ImageName, Image>([...known.values()], inUse, (image) => image.name);
  return [...all.values()];
}

/** Without a record a host is active. */
function hostsOf(first: Records, second: Records, stored: Records): readonly HostRecord[] {
  const all = merged<HostName, HostRecord>(first.hosts, second.hosts, (host) => host.name);
  const recorded = new Set(stored.hosts.map(({ name }) => name));
  return [...all.values()].filter(({ name, admin }) => admin !== "active" || recorded.has(name));
}

/** What is not stored as it is. */
function changed<Item>(items: readonly Item[], stored: readonly Item[]): readonly Item[] {
  return items.filter((item) => !stored.some((known) => isSame(known, item)));
}
