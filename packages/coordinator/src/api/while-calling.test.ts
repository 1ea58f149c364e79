import { expect, test } from "vitest";
import { whileCalling } from "./while-calling.ts";

async function* thenSilence(...items: readonly string[]): AsyncGenerator<string> {
  yield* items;
  await new Promise<never>(() => undefined);
}

test("a reader is told that the client has gone, although nothing comes any more", async () => {
  const end = new AbortController();
  const requests = whileCalling(thenSilence("a"), end.signal);
  expect(await requests.next()).toEqual({ value: "a", done: false });
  const next = requests.next();
  end.abort(new Error("the client has gone"));
  await expect(next).rejects.toThrow("the client has gone");
});

test("a client that has gone before anybody reads is told to the first who does", async () => {
  const gone = AbortSignal.abort(new Error("the client has gone"));
  await expect(whileCalling(thenSilence("a"), gone).next()).rejects.toThrow("has gone");
});

test("what a client sends to its end comes through, and then it ends", async () => {
  async function* two() {
    yield* ["a", "b"];
  }
  const requests = whileCalling(two(), new AbortController().signal);
  const read: string[] = [];
  for await (const request of requests) read.push(request);
  expect(read).toEqual(["a", "b"]);
});
