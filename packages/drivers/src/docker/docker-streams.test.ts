import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { unframe } from "./log-frames.ts";
import { progressMessages } from "./progress-messages.ts";
import { PullProgress } from "./pull-progress.ts";

function frame(kind: number, content: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = kind;
  header.writeUInt32BE(Buffer.byteLength(content), 4);
  return Buffer.concat([header, Buffer.from(content)]);
}

async function* inPieces(content: Buffer, size: number) {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

test("frames are taken apart wherever the pieces are cut", async () => {
  const framed = Buffer.concat([frame(1, "out\n"), frame(2, ""), frame(2, "err ä\n")]);
  for (let size = 1; size <= framed.length; size++) {
    expect(await text(unframe(inPieces(framed, size)))).toBe("out\nerr ä\n");
  }
});

test("what is no frame is refused", async () => {
  const raw = inPieces(Buffer.from("just some text"), 100);
  await expect(text(unframe(raw))).rejects.toMatchObject({ code: "failed" });
});

const LINES = [
  '{"status":"Pulling from library/ä","id":"latest"}',
  '{"status":"Downloading","progressDetail":{"current":5,"total":10},"id":"layer"}',
  '{"stream":"Step 1/2\\n"}',
  '{"errorDetail":{"code":1,"message":"it failed"},"error":"it failed"}',
].join("\r\n");

test("progress is read line by line wherever the pieces are cut", async () => {
  for (let size = 1; size <= LINES.length; size += 7) {
    const messages = [];
    for await (const message of progressMessages(inPieces(Buffer.from(LINES), size))) {
      messages.push(message);
    }
    expect(messages).toMatchObject([
      { status: "Pulling from library/ä", id: "latest" },
      { id: "layer", doneBytes: 5, totalBytes: 10 },
      { output: "Step 1/2\n" },
      { error: "it failed" },
    ]);
  }
});

test("progress that is not JSON, or a line without end, is refused", async () => {
  const read = async (content: Buffer) => {
    for await (const _ of progressMessages(inPieces(content, 65_536)));
  };
  await expect(read(Buffer.from("<html>\n"))).rejects.toMatchObject({ code: "failed" });
  await expect(read(Buffer.alloc(2_000_000, "x"))).rejects.toMatchObject({ code: "failed" });
});

test("the progress of a pull is summed over its layers, and told once per MiB", () => {
  const told: string[] = [];
  const progress = new PullProgress("pulling x", (line) => told.push(line));
  const layer = (id: string, mib: number, status = "Downloading") =>
    progress.tell({
      id,
      status,
      doneBytes: mib * 1024 * 1024,
      totalBytes: 4 * 1024 * 1024,
      output: undefined,
      error: undefined,
    });
  layer("a", 1);
  layer("b", 0.5);
  layer("b", 0.6);
  layer("a", 2, "Extracting");
  layer("b", 4);
  expect(told).toEqual(["pulling x: 1 of 4 MiB", "pulling x: 2 of 8 MiB", "pulling x: 5 of 8 MiB"]);
});
