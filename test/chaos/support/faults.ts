/** What can break on a rack, drawn from a seed: the same seed breaks the same things. */
import type { SeededRandom } from "../../../packages/sim/src/seeded-random.ts";
import type { Cut, Machine } from "../../support/world/machine.ts";
import type { HostNode } from "../../support/world/parts.ts";
import type { Service } from "../../support/world/service.ts";
import type { Chaos } from "./chaos.ts";
import { streamLeader } from "./nats-streams.ts";

export type Fault = {
  /** For a person: what breaks where. */
  readonly name: string;
  readonly begin: (chaos: Chaos) => Promise<void>;
  /** The host on which nobody can stop anything meanwhile, by its index: the stated limit of I2. */
  readonly helplessHost?: number;
  /** Over at once, so that it matters only where something else breaks at the same time. */
  readonly isBrief?: boolean;
};

/** What breaks together, and for how long. */
export type Round = { readonly faults: readonly Fault[]; readonly lastsMs: number };

/** Of a world. */
type Size = {
  readonly nats: number;
  readonly coordinators: number;
  readonly hosts: number;
  readonly hasVms: boolean;
};

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;
/** Shorter than a lease, and long enough for it to end and for NATS to choose new leaders. */
const ROUND_MS = { least: 3_000, most: 25_000 } as const;

/** Draws the next round for a world of this size. */
export function drawRound(random: SeededRandom, size: Size): Round {
  const kinds = size.hasVms ? [...KINDS, ...VM_KINDS] : KINDS;
  const count = random.pick([1, 1, 2, 2, 3]) ?? 1;
  const faults = Array.from({ length: count }, () => {
    const draw = random.pick(kinds);
    if (draw === undefined) throw new Error("there is no kind of fault");
    return draw(random, size);
  });
  return { faults, lastsMs: random.between(ROUND_MS.least, ROUND_MS.most) };
}

type Draw = (random: SeededRandom, size: Size) => Fault;

const onHost =
  (what: string, begin: (host: HostNode) => Promise<void> | void): Draw =>
  (random, { hosts }) => {
    const index = random.integer(0, hosts - 1);
    return {
      name: `${what} host-${index + 1}`,
      begin: async ({ world }) => void (await begin(at(world.hosts, index))),
      helplessHost: index,
    };
  };

/** Where the agent can stop what it shall all the while. */
const able =
  (draw: Draw): Draw =>
  (random, size) => {
    const { helplessHost: _, ...fault } = draw(random, size);
    return fault;
  };

const brief =
  (draw: Draw): Draw =>
  (random, size) => ({ ...draw(random, size), isBrief: true });

const onCoordinator =
  (what: string, begin: (machine: Machine, service: Service) => Promise<void> | void): Draw =>
  (random, { coordinators }) => {
    const index = random.integer(-1, coordinators - 1);
    const name = index < 0 ? "the leader" : `coordinator-${index + 1}`;
    return {
      name: `${what} ${name}`,
      begin: async (chaos) => {
        const node = index < 0 ? await chaos.leader() : at(chaos.world.coordinators, index);
        await begin(node.machine, node.coordinator);
      },
    };
  };

const onNats =
  (what: string, begin: (machine: Machine, service: Service) => Promise<void> | void): Draw =>
  (random, { nats }) => {
    const index = random.integer(-1, nats - 1);
    const name = index < 0 ? "the stream's leader" : `nats-${index + 1}`;
    return {
      name: `${what} ${name}`,
      begin: async ({ world }) => {
        const leader = index < 0 ? await streamLeader(world.nats, "KV_control") : undefined;
        const node = leader ?? at(world.nats, Math.max(index, 0));
        await begin(node.machine, node.server);
      },
    };
  };

/** Ends it, and starts it again at once, as a service manager would. */
const restart = async (service: Service): Promise<void> => {
  await service.kill();
  await service.launch();
};

const cuts: readonly (readonly [name: string, cut: Cut])[] = [
  ["cut off", {}],
  ["cut off from what comes in", { direction: "incoming" }],
  ["cut off from what goes out", { direction: "outgoing" }],
];

const VM_KINDS: readonly Draw[] = [
  brief(onHost("killed libvirtd of", async ({ libvirtd }) => libvirtd && restart(libvirtd))),
  onHost("frozen libvirtd of", ({ libvirtd }) => libvirtd?.freeze()),
];

const KINDS: readonly Draw[] = [
  able(onHost("power loss of", ({ machine }) => machine.powerOff())),
  able(onHost("full disk of", ({ machine }) => machine.fillDisk())),
  brief(onHost("killed agent of", ({ agent }) => restart(agent))),
  brief(onHost("killed dockerd of", ({ dockerd }) => restart(dockerd))),
  onHost("frozen agent of", ({ agent }) => agent.freeze()),
  onHost("frozen dockerd of", ({ dockerd }) => dockerd.freeze()),
  able(onHost("clock a day ahead on", ({ clock }) => clock.step(DAY_S))),
  able(onHost("clock an hour back on", ({ clock }) => clock.step(-HOUR_S))),
  ...cuts.map(([name, cut]) => able(onHost(`${name}:`, ({ machine }) => machine.cut(cut)))),

  onCoordinator("power loss of", (machine) => machine.powerOff()),
  onCoordinator("killed:", (_, service) => service.kill()),
  onCoordinator("killed and started:", (_, service) => restart(service)),
  onCoordinator("frozen:", (_, service) => service.freeze()),
  ...cuts.map(([name, cut]) => onCoordinator(`${name}:`, (machine) => machine.cut(cut))),
  (random, { coordinators }) => {
    const index = random.integer(0, coordinators - 1);
    return {
      name: `cut off from NATS alone: coordinator-${index + 1}`,
      begin: ({ world }) => {
        const from = world.nats.map(({ machine }) => machine);
        return at(world.coordinators, index).machine.cut({ from });
      },
    };
  },

  onNats("power loss of", (machine) => machine.powerOff()),
  onNats("killed:", (_, service) => service.kill()),
  onNats("killed and started:", (_, service) => restart(service)),
  onNats("frozen:", (_, service) => service.freeze()),
  ...cuts.map(([name, cut]) => onNats(`${name}:`, (machine) => machine.cut(cut))),
  (random, { nats }) => {
    const index = random.integer(0, nats - 1);
    return {
      name: `full disk of nats-${index + 1}`,
      begin: ({ world }) => at(world.nats, index).machine.fillDisk(),
    };
  },

  () => ({
    name: "all NATS servers killed",
    begin: async ({ world }) => {
      await Promise.all(world.nats.map(({ server }) => server.kill()));
    },
  }),
  () => ({
    name: "all coordinators killed",
    begin: async ({ world }) => {
      await Promise.all(world.coordinators.map(({ coordinator }) => coordinator.kill()));
    },
  }),
  () => ({
    name: "power loss of everything",
    begin: ({ world }) => world.powerOff(),
  }),
];

function at<Node>(nodes: readonly Node[], index: number): Node {
  const node = nodes[index];
  if (node === undefined) throw new Error(`there is no number ${index}`);
  return node;
}
