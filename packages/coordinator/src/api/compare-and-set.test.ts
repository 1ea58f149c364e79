import type { HostName } from "@evm/fleet";
import { RpcError } from "@evm/protocol";
import { type CoordinatorStore, createMemoryStore } from "@evm/store";
import { systemClock } from "@evm/telemetry";
import { expect, test } from "vitest";
import { declare, soon } from "../../test/cluster.ts";
import { overlaid } from "../../test/overlaid-store.ts";
import { compareAndSet } from "./compare-and-set.ts";

const WHOLE = { kind: "whole", estranged: new Set<HostName>() } as const;

/** A coordinator that goes by what `inner` said now until it catches up. */
function trailing(inner: CoordinatorStore): CoordinatorStore {
  let known: ReturnType<CoordinatorStore["control"]> | undefined = inner.control();
  return overlaid(inner, {
    control: () => known ?? inner.control(),
    async catchUp(signal: AbortSignal) {
      await inner.catchUp(signal);
      known = undefined;
    },
  });
}

/** Scales the only fleet by a coordinator that does not know of the last change yet. */
async function scaleBy(replicas: number) {
  const memory = createMemoryStore();
  await declare(memory, "web", 3);
  const store = trailing(memory.coordinator("c2"));
  await declare(memory, "web", 5);
  const write = () => {
    const [fleet] = [...store.control().fleets.values()];
    if (fleet === undefined) throw new RpcError("notFound", "no fleet");
    if (fleet.value.spec.replicas === replicas) return undefined;
    const value = { ...fleet.value, spec: { ...fleet.value.spec, replicas } };
    return store.putFleets([{ value, expectedRevision: fleet.revision }], soon().signal);
  };
  const context = { store, clock: systemClock, coordinator: { memory: WHOLE } };
  const isWritten = await compareAndSet(context, { what: "web", write, signal: soon().signal });
  const [fleet] = [...memory.coordinator("observer").control().fleets.values()];
  return { isWritten, replicas: fleet?.value.spec.replicas };
}

test("what only seems to be so already, since others changed it, is written (I6)", async () => {
  expect(await scaleBy(3)).toEqual({ isWritten: true, replicas: 3 });
});

test("what is so already is not written, also where it did not seem to be", async () => {
  expect(await scaleBy(5)).toEqual({ isWritten: false, replicas: 5 });
});

test("a refusal goes by the newest state", async () => {
  const memory = createMemoryStore();
  const store = trailing(memory.coordinator("c2"));
  await declare(memory, "web", 1);
  const write = () => {
    if (store.control().fleets.size === 0) throw new RpcError("notFound", "no fleet");
    return undefined;
  };
  const context = { store, clock: systemClock, coordinator: { memory: WHOLE } };
  const { signal } = soon();
  expect(await compareAndSet(context, { what: "web", write, signal })).toBe(false);
});
