import { RpcError } from "@evm/protocol";
import { expect, test } from "vitest";
import { resumedLogs } from "./resumed-logs.ts";

const { signal } = new AbortController();

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, at) => `line ${from + at}\n`).join("");

async function* broken(...pieces: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece);
  throw new RpcError("unavailable", "the coordinator went away");
}

async function* whole(...pieces: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece);
}

/** What is shown of streams that are opened one after the other, and how each was asked for. */
async function show(...streams: readonly AsyncIterable<Uint8Array>[]) {
  const left = [...streams];
  const asked: (number | undefined)[] = [];
  const told: string[] = [];
  let out = "";
  const pieces = resumedLogs({
    open: (tailLines) => {
      asked.push(tailLines);
      return left.shift() ?? whole();
    },
    tailLines: 20,
    onBreak: ({ message }) => told.push(message),
    signal,
  });
  for await (const piece of pieces) out += Buffer.from(piece);
  return { out, asked, told };
}

test("a log that breaks goes on where it broke, no line twice and none left out", async () => {
  const { out, asked, told } = await show(
    broken(lines(80, 100), "line 100\nli"),
    broken(lines(0, 90), lines(90, 105)),
    whole(lines(0, 104), "line 104\nline", " 105\n"),
  );
  expect(out).toBe(lines(80, 106));
  expect(asked).toEqual([20, 1_000, 1_000]);
  expect(told).toEqual(["the coordinator went away", "the coordinator went away"]);
});

test("a log whose old lines are no longer kept is shown from what is kept", async () => {
  const { out } = await show(broken(lines(0, 10)), whole(lines(500, 502)));
  expect(out).toBe(lines(0, 10) + lines(500, 502));
});

test("a log of which nothing was shown yet begins as it was asked for", async () => {
  const { out, asked } = await show(broken(), whole("line 0\n"));
  expect(out).toBe("line 0\n");
  expect(asked).toEqual([20, 20]);
});
