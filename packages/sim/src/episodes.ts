/** Faults that strike now and then, and end. */
import type { SimulatedHost } from "./host.ts";
import type { Lie } from "./machinery.ts";
import type { Outage } from "./network.ts";
import type { SimulatedNode } from "./node.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { World } from "./world.ts";

/** How far a wall clock is set forward or back: from a second to a day. */
const MIN_STEP_MS = 1_000;
const MAX_STEP_MS = 86_400_000;

export type Episode = {
  readonly what: string;
  readonly begin: () => void;
  readonly end: () => void;
  /** How long it lasts under the usual lease, drawn by seed between these. */
  readonly lengthMs?: readonly [least: number, most: number];
};

/** Long enough that hosts are lost by it, as often as not. */
const LONG_MS = [1_000, 45_000] as const;

export type Draw = (world: World, random: SeededRandom) => Episode | undefined;

export const EPISODES = {
  crashCoordinator: (world, random) => death(random.pick(world.nodes)),
  crashAgent: (world, random) => death(random.pick(world.hosts)),
  losePower: (world, random) =>
    onHost(world, random, (host) => ({
      what: `${host.address} loses power`,
      begin: () => host.losePower(),
      end: () => host.start(),
      lengthMs: LONG_MS,
    })),
  freezeCoordinator: (world, random) => freeze(random.pick(world.nodes), random),
  freezeAgent: (world, random) => freeze(random.pick(world.hosts), random),
  cut(world, random) {
    const one = random.pick([...world.nodes, ...world.hosts]);
    if (one === undefined) return undefined;
    return moved(world, [one.address], random.integer(1, 1_000_000));
  },
  split(world, random) {
    const node = random.pick(world.nodes);
    const hosts = world.hosts.filter(() => random.chance(0.5));
    if (node === undefined) return undefined;
    const names = [node, ...hosts].map(({ address }) => address);
    return moved(world, names, random.integer(1, 1_000_000));
  },
  oneWayCut(world, random) {
    const one = random.pick([...world.nodes, ...world.hosts]);
    if (one === undefined) return undefined;
    const how = random.chance(0.5) ? "deaf" : "mute";
    const impair = (to: typeof how | undefined) => world.network.impair(one.address, to);
    const what = `${one.address} ${how}`;
    return { what, begin: () => impair(how), end: () => impair(undefined) };
  },
  storeOutage: (world) => outage(world, "store"),
  busOutage: (world) => outage(world, "bus"),
  crashInstance: (world, random) =>
    onHost(world, random, (host) => {
      const victim = random.pick(host.running());
      if (victim === undefined) return undefined;
      const what = `${victim.name}.${victim.incarnation} on ${host.name} crashes`;
      return { what, begin: () => host.runtime.crash(victim), end: () => undefined };
    }),
  fullDisk: (world, random) =>
    onHost(world, random, ({ name, disk }) => {
      const fill = (isFull: boolean) => {
        disk.isFull = isFull;
      };
      return { what: `${name} disk full`, begin: () => fill(true), end: () => fill(false) };
    }),
  clockStep(world, random) {
    const one = random.pick([...world.nodes, ...world.hosts]);
    if (one === undefined) return undefined;
    const size = MIN_STEP_MS * (MAX_STEP_MS / MIN_STEP_MS) ** random.next();
    const byMs = Math.round(random.chance(0.5) ? size : -size);
    const begin = () => {
      one.wallOffsetMs += byMs;
    };
    // It stays wrong: nobody is told, and nothing may depend on it.
    return { what: `${one.address} wall clock set by ${byMs} ms`, begin, end: () => undefined };
  },
  hungDriver: (world, random) =>
    onHost(world, random, ({ name, machinery }) => ({
      what: `${name} drivers hang`,
      begin: () => machinery.hang(),
      end: () => machinery.goOn(),
    })),
  lyingDriver: (world, random) =>
    onHost(world, random, ({ name, machinery }) => {
      const how = random.pick(LIES);
      const lie = (to: Lie | undefined) => {
        machinery.lie = to;
      };
      const what = `${name} drivers list wrong: ${how}`;
      return { what, begin: () => lie(how), end: () => lie(undefined) };
    }),
} as const satisfies Readonly<Record<string, Draw>>;

/**
 * A host's machine is replaced by another, which bears its name. The last that tells of a control
 * state that is lost stays: otherwise nobody can tell, see `ControlLoss`.
 */
export const replacement: Draw = (world, random) =>
  onHost(world, random, (host) => ({
    what: `${host.address} is replaced`,
    begin: () => {
      const { controlTruth } = world;
      if (!controlTruth.isLost || world.isTold(controlTruth.stored(), host)) host.replace();
    },
    end: () => host.start(),
    lengthMs: LONG_MS,
  }));

const LIES: readonly Lie[] = ["omits", "invents", "late"];

function onHost(
  world: World,
  random: SeededRandom,
  draw: (host: SimulatedHost) => Episode | undefined,
): Episode | undefined {
  const host = random.pick(world.hosts);
  return host && draw(host);
}

function death(program: SimulatedHost | SimulatedNode | undefined): Episode | undefined {
  if (program === undefined) return undefined;
  const what = `${program.address} dies`;
  return { what, begin: () => program.kill(), end: () => program.start() };
}

function freeze(
  program: SimulatedHost | SimulatedNode | undefined,
  random: SeededRandom,
): Episode | undefined {
  if (program === undefined) return undefined;
  const losesMessages = random.chance(0.5);
  let thaw = () => {};
  const begin = () => {
    thaw = program.freeze(losesMessages);
  };
  return { what: `${program.address} freezes`, begin, end: () => thaw() };
}

function moved(world: World, names: readonly string[], side: number): Episode {
  let back: readonly (() => void)[] = [];
  return {
    what: `${names.join(", ")} cut off`,
    begin: () => {
      back = names.map((name) => world.network.moveTo(side, name));
    },
    end: () => {
      for (const move of back) move();
    },
    lengthMs: LONG_MS,
  };
}

function outage({ network }: World, what: Outage): Episode {
  const set = (isAway: boolean) => network.setOutage(what, isAway);
  return { what: `${what} away`, begin: () => set(true), end: () => set(false) };
}
