import { expect, test } from "vitest";
import { bytes } from "./contract/fixtures.ts";
import { StoreError } from "./store.ts";
import { type Frame, MAX_FRAME_BYTES, VerbStream, WINDOW_BYTES } from "./verb-stream.ts";

function end() {
  const sent: Frame[] = [];
  return { sent, stream: new VerbStream("logs of host h1", (frame) => sent.push(frame)) };
}

test("what is sent is cut into frames that a message can hold", async () => {
  const { sent, stream } = end();
  await stream.send(Buffer.alloc(MAX_FRAME_BYTES + 1, "x"));
  expect(sent.map((frame) => frame.kind === "data" && frame.bytes.length)).toEqual([
    MAX_FRAME_BYTES,
    1,
  ]);
});

test("a frame holds what was sent, whatever becomes of the sender's buffer", async () => {
  const { sent, stream } = end();
  const buffer = Buffer.from("before");
  await stream.send(buffer);
  buffer.write("after!");
  expect(sent).toEqual([{ kind: "data", bytes: new Uint8Array(bytes("before")) }]);
});

test("a sender goes on only when the reader gives credit", async () => {
  const { sent, stream } = end();
  const sending = stream.send(Buffer.alloc(WINDOW_BYTES + MAX_FRAME_BYTES));
  await Promise.resolve();
  const frames = WINDOW_BYTES / MAX_FRAME_BYTES;
  expect(sent).toHaveLength(frames);
  stream.receive({ kind: "credit", byteCount: MAX_FRAME_BYTES });
  await sending;
  expect(sent).toHaveLength(frames + 1);
});

test("a sender that waits for credit learns of the end", async () => {
  const { stream } = end();
  const sending = stream.send(Buffer.alloc(WINDOW_BYTES + 1));
  stream.receive({ kind: "error", code: "notFound", text: "gone" });
  await expect(sending).rejects.toMatchObject({ code: "notFound", message: "gone" });
});

test("a peer that sends more than it may ends the stream", async () => {
  const { sent, stream } = end();
  const frame: Frame = { kind: "data", bytes: Buffer.alloc(MAX_FRAME_BYTES) };
  for (let count = 0; count <= WINDOW_BYTES / MAX_FRAME_BYTES; count++) stream.receive(frame);
  expect(stream.over.aborted).toBe(true);
  expect(sent).toMatchObject([{ kind: "error", code: "corrupt" }]);
});

test("it ends once", async () => {
  const { sent, stream } = end();
  stream.close();
  stream.fail(new StoreError("failed", "later"));
  stream.receive({ kind: "error", code: "failed", text: "later" });
  expect(sent).toEqual([{ kind: "end" }]);
  expect(await stream.incoming[Symbol.asyncIterator]().next()).toMatchObject({ done: true });
});
