/**
 * The worst that can befall the store: the control state is lost, or a backup of it is put back.
 * Operators notice it, declare nothing meanwhile, start the coordinators again, since those know
 * what they knew, and restore it from the newest export, as often as that takes. Hosts that do not
 * answer they leave out, and take them in when they are back.
 *
 * It is lost only where hosts go by orders, and a backup is put back only where what they told says
 * that it is older: otherwise nobody can tell, and what was written is forgotten without a word.
 */
import { restoreCluster } from "@evm/coordinator";
import type { ClusterExport } from "@evm/fleet";
import type { ControlState } from "@evm/store";
import type { SimulatedNode } from "./node.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { World } from "./world.ts";

/** How often coordinators export; drawn by seed. */
const EXPORT_INTERVAL_MS = [2_000, 20_000] as const;
/** Longer than what was asked of the servers before may be on its way. */
const OUTAGE_MS = [6_000, 15_000] as const;
/** Until operators notice. */
const MAX_UNNOTICED_MS = 15_000;
/** Between two things that they do about it. */
const STEP_MS = [1_000, 3_000] as const;
/** A host that did not answer for so many leases is left out. */
const LEAVE_OUT_LEASES = 2;
/** What is not answered by then is asked of another coordinator. */
const PATIENCE_MS = 20_000;
const BLAST_LIMITS = { maxShare: 1, minInstances: 1_000 };

const NOTHING: ControlState = {
  revision: 0,
  epoch: { epoch: 0, base: 0, leader: "" },
  fleets: new Map(),
  images: new Map(),
  hosts: new Map(),
  orders: new Map(),
};

export type ControlLossOptions = {
  /** Between two losses, drawn by seed between these. */
  readonly gapMs: readonly [least: number, most: number];
  readonly leaseMs: number;
};

export class ControlLoss {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #options: ControlLossOptions;
  #lostAtMs = Number.NEGATIVE_INFINITY;
  /** The newest export then: later ones are of what is left. */
  #kept: ClusterExport | undefined;
  #noticedAtMs = Number.NEGATIVE_INFINITY;
  #isOver = false;
  /** When the restore that is under way was begun. */
  #attemptedAtMs: number | undefined;
  /** Hosts that did not answer the last time, and since when. */
  #silentSinceMs: ReadonlyMap<string, number> = new Map();

  constructor(world: World, random: SeededRandom, options: ControlLossOptions) {
    this.#world = world;
    this.#random = random;
    this.#options = options;
  }

  /** To be called before the world starts. */
  begin(): void {
    for (const node of this.#world.nodes) {
      node.exportIntervalMs = this.#random.between(...EXPORT_INTERVAL_MS);
    }
    this.#next();
    this.#goOn();
  }

  /** No more is lost, and what is lost is restored at once. */
  end(): void {
    this.#isOver = true;
    this.#noticedAtMs = Number.NEGATIVE_INFINITY;
  }

  #next(): void {
    const random = this.#random;
    const { timeline, controlTruth } = this.#world;
    const inMs = random.between(...this.#options.gapMs);
    let backup: ControlState | undefined;
    timeline.after(inMs * random.next(), () => {
      backup = controlTruth.stored();
    });
    timeline.after(inMs, () => {
      if (this.#isOver) return;
      if (!controlTruth.isLost && this.#world.isTold(NOTHING)) this.#strike(backup ?? NOTHING);
      this.#next();
    });
  }

  #strike(backup: ControlState): void {
    const world = this.#world;
    const random = this.#random;
    const { timeline, network, trace } = world;
    const isAll = random.chance(0.4);
    const isOutage = random.chance(0.5) || isAll;
    const isBackup = random.chance(0.5);
    const outageMs = isOutage ? random.between(...OUTAGE_MS) : 0;
    this.#lostAtMs = timeline.nowMs;
    this.#kept = this.#newestExport();
    this.#noticedAtMs = timeline.nowMs + outageMs + random.between(0, MAX_UNNOTICED_MS);
    if (isOutage) network.setOutage("bus", true);
    if (isAll) world.loseControl(undefined);
    else world.loseControl(isBackup && world.isTold(backup) ? backup : NOTHING);
    const { revision } = world.controlTruth.stored();
    const what = isAll ? "all data" : "the control state";
    trace.add(`${what} is lost: at revision ${revision}, away for ${Math.round(outageMs)} ms`);
    if (isOutage) timeline.after(outageMs, () => network.setOutage("bus", false));
  }

  #goOn(): void {
    const { timeline } = this.#world;
    timeline.after(this.#random.between(...STEP_MS), () => {
      if (timeline.nowMs >= this.#noticedAtMs) this.#act();
      this.#goOn();
    });
  }

  /** What operators do next: start a coordinator anew, or restore. */
  #act(): void {
    const { nodes, timeline, controlTruth } = this.#world;
    const old = nodes.find(({ life }) => (life?.startedAtMs ?? this.#lostAtMs) < this.#lostAtMs);
    if (old !== undefined) {
      old.kill();
      old.start();
      return;
    }
    const node = this.#random.pick(nodes);
    const memory = node?.life?.coordinator.memory;
    if (node === undefined || memory === undefined) return;
    const isNeeded = memory.kind === "lost" || memory.estranged.size > 0 || controlTruth.isLost;
    const isUnderWay = (this.#attemptedAtMs ?? -PATIENCE_MS) > timeline.nowMs - PATIENCE_MS;
    if (isNeeded && !isUnderWay) void this.#restore(node);
  }

  async #restore({ id, address, life }: SimulatedNode): Promise<void> {
    if (life === undefined) return;
    const { timeline, trace, controlTruth } = this.#world;
    const { coordinator, link, process } = life;
    const begunMs = timeline.nowMs;
    this.#attemptedAtMs = begunMs;
    const kept = controlTruth.isLost ? this.#kept : undefined;
    controlTruth.kept = kept;
    const leaveOutMs = LEAVE_OUT_LEASES * this.#options.leaseMs;
    const without = [...this.#silentSinceMs].flatMap(([name, sinceMs]) =>
      sinceMs <= begunMs - leaveOutMs ? [name] : [],
    );
    trace.add(`operator restores through ${address} without ${without.join(", ") || "none"}`);
    const { clock } = process;
    const context = { id, version: "", coordinator, store: link, clock, blastLimits: BLAST_LIMITS };
    let text = "done";
    try {
      const order = { kept, without, isDryRun: false };
      const { notes } = await restoreCluster(context, order, process.signal);
      text = ["done", ...notes].join("; ");
    } catch (error) {
      text = String(error);
    }
    trace.add(`operator hears of the restore: ${text}`);
    const named = [...text.matchAll(/--without (\S+)/g)].flatMap(([, name]) => name ?? []);
    // Of those that are left out it says nothing.
    const names = named.length === 0 ? [] : [...named, ...without];
    const since = this.#silentSinceMs;
    this.#silentSinceMs = new Map(names.map((name) => [name, since.get(name) ?? begunMs]));
    if (this.#attemptedAtMs === begunMs) this.#attemptedAtMs = undefined;
  }

  /** By what it was made of: wall clocks may say anything. */
  #newestExport(): ClusterExport | undefined {
    const all = this.#world.nodes.flatMap(({ exports }) => exports.all());
    return all.sort((a, b) => a.epoch - b.epoch || a.revision - b.revision).at(-1);
  }
}
