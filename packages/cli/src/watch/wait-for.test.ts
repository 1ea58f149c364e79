import { once } from "node:events";
import { RpcError } from "@evm/protocol";
import { expect, test } from "vitest";
import { recordingTerminal } from "../output/recording-terminal.testing.ts";
import { type Wait, waitFor } from "./wait-for.ts";

/** Waits for 3 on a watch that begins with each of `attempts` in turn. */
const waitForThree = (
  attempts: readonly ((signal: AbortSignal) => AsyncIterable<number>)[],
  options: {
    readonly signal?: AbortSignal;
    readonly timeoutMs?: number;
    readonly missing?: Wait<number>["missing"];
  } = {},
) => {
  const terminal = recordingTerminal();
  const { signal = new AbortController().signal, timeoutMs = 60_000 } = options;
  const left = [...attempts];
  const wait: Wait<number> = {
    watch: (end) => left.shift()?.(end) ?? hanging(end),
    isDone: (state) => state === 3,
    progress: (state) => `at ${state}`,
    timeoutMs,
    missing: options.missing ?? ((state) => `only ${state}`),
  };
  return { terminal, done: waitFor({ terminal, signal }, wait) };
};

async function* counts(...states: readonly number[]): AsyncGenerator<number> {
  yield* states;
}

async function* broken(): AsyncGenerator<number> {
  yield 1;
  throw new RpcError("unavailable", "the coordinator went away");
}

async function* hanging(signal: AbortSignal): AsyncGenerator<number> {
  yield 2;
  if (!signal.aborted) await once(signal, "abort");
  throw new RpcError("cancelled", "the call was cancelled");
}

test("a wait shows each state, and returns the one that was waited for", async () => {
  const { terminal, done } = waitForThree([() => counts(1, 2, 3, 4)]);
  expect(await done).toBe(3);
  expect(terminal.shown.err).toBe("at 1\nat 2\n");
});

test("a watch that breaks, or ends, is opened again", async () => {
  const { terminal, done } = waitForThree([broken, () => counts(2), () => counts(3)]);
  expect(await done).toBe(3);
  expect(terminal.shown.err).toBe("at 1\nthe coordinator went away; trying again\nat 2\n");
});

test("a refusal ends the wait at once", async () => {
  const { done } = waitForThree([
    async function* () {
      yield 1;
      throw new RpcError("invalidArgument", "no such thing");
    },
  ]);
  await expect(done).rejects.toThrow("no such thing");
});

test("a wait that takes too long says what is missing", async () => {
  const { done } = waitForThree([hanging], { timeoutMs: 20 });
  await expect(done).rejects.toMatchObject({
    reason: "timeout",
    message: "gave up after 0s: only 2",
  });
});

test("a wait at whose end no coordinator answers says what was heard last", async () => {
  const { done } = waitForThree([hanging], {
    timeoutMs: 20,
    missing: async () => {
      throw new RpcError("unavailable", "nobody is there");
    },
  });
  await expect(done).rejects.toMatchObject({
    reason: "timeout",
    message: "gave up after 0s: last heard: at 2; then: nobody is there",
  });
});

test("a wait ends with Ctrl-C", async () => {
  const ctrlC = new AbortController();
  const { done } = waitForThree([hanging], { signal: ctrlC.signal });
  ctrlC.abort(new Error("Ctrl-C"));
  await expect(done).rejects.toThrow("Ctrl-C");
});
