/** Worlds with one part broken on purpose: each stands for a mistake that an oracle must catch. */
import type { StateDir } from "@evm/agent";
import type { Driver } from "@evm/drivers";
import type { OrderedInstance } from "@evm/fleet";
import type { CommitRequest, CoordinatorStore } from "@evm/store";
import type { SeededRandom } from "./seeded-random.ts";
import { SOUND, type Variant } from "./variant.ts";

export type Broken = {
  /** Which oracle is to catch it. */
  readonly invariant: string;
  readonly variant: Variant;
};

/** By what is wrong. */
export const BROKEN: Readonly<Record<string, Broken>> = {
  "a store that ignores the fence": {
    invariant: "I5",
    variant: committing((request, store) => ({ ...request, epoch: store.control().epoch.epoch })),
  },
  "a store that acknowledges a write and loses it": {
    invariant: "I6",
    variant: {
      ...SOUND,
      store: (store, random) =>
        overriding(store, {
          putFleets: async (writes, signal) =>
            random.chance(0.2)
              ? { kind: "written", revision: store.control().revision + 1 }
              : store.putFleets(writes, signal),
        }),
    },
  },
  "a planner that drops a stop now and then": {
    invariant: "I1",
    variant: ordering((one, random) =>
      one.desired === "stop" && random.chance(0.3) ? { ...one, desired: "run" } : one,
    ),
  },
  "a planner that discards instead of stopping": {
    invariant: "I4",
    variant: ordering((one) => (one.desired === "stop" ? { ...one, desired: "discard" } : one)),
  },
  "a leader that gives hosts up before their lease ends": {
    invariant: "I2",
    variant: { ...SOUND, marginMs: -5_000 },
  },
  "an agent that forgets its orders, and so accepts older ones": {
    invariant: "I5",
    variant: { ...SOUND, stateDir: forgetful },
  },
  "an agent that promises more than its host has": {
    invariant: "I3",
    variant: { ...SOUND, capacityFactor: 4 },
  },
  "a driver whose list forgets what it has shown for a while": {
    invariant: "I2",
    variant: { ...SOUND, driver: forgettingDriver },
  },
  "a driver that removes what it stops": {
    invariant: "I4",
    variant: {
      ...SOUND,
      driver: (driver) =>
        overriding(driver, {
          stop: async (ref, options) => {
            await driver.stop(ref, options);
            await driver.discard(ref, options.signal);
          },
        }),
    },
  },
  "a driver that says it started, and did not": {
    invariant: "I7",
    variant: {
      ...SOUND,
      driver: (driver) => overriding(driver, { start: async () => undefined }),
    },
  },
};

/** Changes what coordinators commit. */
function committing(
  change: (request: CommitRequest, store: CoordinatorStore, random: SeededRandom) => CommitRequest,
): Variant {
  const store = (inner: CoordinatorStore, random: SeededRandom) =>
    overriding(inner, {
      commit: (request, signal) => inner.commit(change(request, inner, random), signal),
    });
  return { ...SOUND, store };
}

/** Changes what coordinators order of each instance. */
function ordering(
  change: (one: OrderedInstance, random: SeededRandom) => OrderedInstance,
): Variant {
  return committing((request, _, random) => ({
    ...request,
    orders: request.orders.map(({ value, expectedRevision }) => {
      const instances = value.instances.map((one) => change(one, random));
      return { value: { ...value, instances }, expectedRevision };
    }),
  }));
}

/** Lists each incarnation a few times, and then no more. */
function forgettingDriver(driver: Driver): Driver {
  const shown = new Map<string, number>();
  return overriding(driver, {
    list: async (signal) => {
      const all = await driver.list(signal);
      return all.filter(({ name, incarnation }) => {
        const times = (shown.get(`${name}.${incarnation}`) ?? 0) + 1;
        shown.set(`${name}.${incarnation}`, times);
        return times < 10;
      });
    },
  });
}

/** Keeps nothing of the orders where they are looked for. */
function forgetful(stateDir: StateDir): StateDir {
  return {
    ...stateDir,
    read: async (name) => (name === "orders.binpb" ? undefined : stateDir.read(name)),
  };
}

/** The same object, but for some of its methods. */
function overriding<T extends object>(inner: T, changes: Partial<T>): T {
  const changed = new Map<PropertyKey, unknown>(Object.entries(changes));
  return new Proxy(inner, {
    get(target, key) {
      if (changed.has(key)) return changed.get(key);
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
