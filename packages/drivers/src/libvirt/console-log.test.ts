import { appendFile, mkdtemp, rename, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../clock.testing.ts";
import { findText, keepPrevious, readLog } from "./console-log.ts";

let folder: string;
let log: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "evm-log-"));
  log = join(folder, "console.log");
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const find = (cursor?: { inode: number; offset: number }, since = 0) =>
  findText(folder, "READY", { since, cursor });

async function read(options: { tailLines?: number; isUp?: () => Promise<boolean> } = {}) {
  const pieces: Uint8Array[] = [];
  const log = readLog(folder, {
    tailLines: options.tailLines,
    isFollowing: options.isUp !== undefined,
    signal: new AbortController().signal,
    isUp: options.isUp ?? (async () => false),
    clock: { ...systemClock, sleep: async () => {} },
  });
  for await (const piece of log) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

test("a text is found across two looks", async () => {
  expect(await find()).toEqual({ isFound: false, cursor: undefined });
  await writeFile(log, "booting\nREA");
  const { isFound, cursor } = await find();
  expect(isFound).toBe(false);
  await appendFile(log, "DY\n");
  expect((await find(cursor)).isFound).toBe(true);
});

test("a text is found though its file was rotated away between two looks", async () => {
  await writeFile(log, "booting\n");
  const { cursor } = await find();
  await appendFile(log, "REA");
  await rename(log, `${log}.0`);
  await writeFile(log, "DY and more\n");
  expect((await find(cursor)).isFound).toBe(true);
});

test("what an earlier run showed does not count", async () => {
  await writeFile(`${log}.0`, "READY\n");
  await utimes(`${log}.0`, 1, 1);
  await writeFile(log, "booting\n");
  expect((await find(undefined, 5000)).isFound).toBe(false);
  await writeFile(log, "READY\n");
  await keepPrevious(folder);
  await truncate(log);
  expect((await find()).isFound).toBe(false);
});

test("the log is everything kept, oldest first", async () => {
  await writeFile(log, "run 1\n");
  await keepPrevious(folder);
  await writeFile(`${log}.1`, "a\n");
  await writeFile(`${log}.0`, "b\n");
  await writeFile(log, "c\nd\n");
  expect(await read()).toBe("run 1\na\nb\nc\nd\n");
});

test.each([
  [0, ""],
  [1, "d\n"],
  [2, "c\nd\n"],
  [4, "\nb\nc\nd\n"],
  [9, "\nb\nc\nd\n"],
])("the last %d lines are %j", async (tailLines, expected) => {
  await writeFile(log, "\nb\nc\nd\n");
  expect(await read({ tailLines })).toBe(expected);
});

test("the last line counts though its end has not come yet", async () => {
  await writeFile(log, "a\nb");
  expect(await read({ tailLines: 1 })).toBe("b");
});

test("a follower misses nothing when the log is rotated, and ends after its VM", async () => {
  await writeFile(log, "a\n");
  const changes = [
    () => appendFile(log, "b\n"),
    async () => {
      await appendFile(log, "c\n");
      await rename(log, `${log}.0`);
      await writeFile(log, "d\n");
    },
  ];
  const isUp = async () => {
    await changes.shift()?.();
    return changes.length > 0;
  };
  expect(await read({ isUp })).toBe("a\nb\nc\nd\n");
});
