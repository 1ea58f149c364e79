import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  errorTo,
  type FakeDaemon,
  type Peer,
  replyTo,
  startFakeDaemon,
  streamPacket,
} from "../test/fake-daemon.ts";
import { ByteStream, RECEIVE_HIGH_BYTES, STALL_LIMIT_MS, type StreamPort } from "./byte-stream.ts";
import { type Connection, connect } from "./connection.ts";
import { LibvirtError } from "./error.ts";
import { type Frame, FrameStatus, STREAM_CHUNK_BYTES } from "./frame.ts";

const web = { name: "web", uuid: "c7a5fdbd-edaf-9455-926a-d65c16db1809" };
const bytes = (text: string): Buffer => Buffer.from(text);

async function readAll(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += chunk.toString();
  return text;
}

describe("over a connection", () => {
  let daemon: FakeDaemon;
  let connection: Connection;
  let peer: Peer;

  beforeEach(async () => {
    daemon = await startFakeDaemon();
    connection = await connect({ socketPath: daemon.socketPath, uri: "test:///default" });
    peer = await daemon.peer;
  });
  afterEach(async () => {
    await connection.close();
    await daemon[Symbol.asyncDispose]();
  });

  async function open(
    following: (call: Frame) => readonly Buffer[] = () => [],
    signal?: AbortSignal,
  ): Promise<{ readonly stream: ByteStream; readonly call: Frame }> {
    const opening = connection.domains.openConsole(web, { signal });
    const call = await peer.next();
    peer.send(replyTo(call), ...following(call));
    return { stream: await opening, call };
  }

  test("a stream delivers data that arrives together with the reply that opened it", async () => {
    const { stream } = await open((call) => [
      streamPacket(call, FrameStatus.continue, bytes("log")),
      streamPacket(call, FrameStatus.continue, bytes("in: ")),
      streamPacket(call, FrameStatus.continue),
    ]);
    expect(await readAll(stream)).toBe("login: ");
  });

  test("what is written arrives in packets that every daemon takes, and is confirmed", async () => {
    const { stream, call } = await open();
    await stream.write(Buffer.alloc(STREAM_CHUNK_BYTES + 1));
    const finished = stream.finish();
    const packets = [await peer.next(), await peer.next(), await peer.next()];
    expect(packets.map((packet) => [packet.status, packet.payload.length])).toEqual([
      [FrameStatus.continue, STREAM_CHUNK_BYTES],
      [FrameStatus.continue, 1],
      [FrameStatus.ok, 0],
    ]);
    peer.send(streamPacket(call, FrameStatus.ok));
    await finished;
    await expect(stream.write(bytes("x"))).rejects.toThrow(/a stream that is finished/);
  });

  test("a stream that the daemon fails rejects with the daemon's reason", async () => {
    const { stream, call } = await open();
    const reading = readAll(stream);
    peer.send(errorTo(call, 38, 3));
    const refused = expect.objectContaining({ code: "SYSTEM_ERROR" });
    await expect(reading).rejects.toThrow(refused);
    await expect(stream.write(bytes("x"))).rejects.toThrow(refused);
    await expect(stream.finish()).rejects.toThrow(refused);
  });

  test("an aborted stream tells the daemon; data on its way is dropped", async () => {
    const abort = new AbortController();
    const { stream, call } = await open(undefined, abort.signal);
    const reading = readAll(stream);
    abort.abort();
    await expect(reading).rejects.toThrow(expect.objectContaining({ code: "aborted" }));
    expect(await peer.next()).toMatchObject({ serial: call.serial, status: FrameStatus.error });
    peer.send(streamPacket(call, FrameStatus.continue, bytes("late")));
    const name = connection.host.hostname();
    peer.reply(await peer.next(), (w) => w.string("vm"));
    expect(await name).toBe("vm");
  });

  test("a stream whose opening was given up is aborted once the daemon opens it", async () => {
    const abort = new AbortController();
    const opening = connection.domains.openConsole(web, { signal: abort.signal });
    const call = await peer.next();
    abort.abort();
    await expect(opening).rejects.toThrow(expect.objectContaining({ code: "aborted" }));
    peer.reply(call);
    expect(await peer.next()).toMatchObject({ serial: call.serial, status: FrameStatus.error });
  });

  test("a daemon that dies fails reader, writer and finish", async () => {
    const { stream } = await open();
    const lost = expect.objectContaining({ code: "connection-lost", isTransient: true });
    const reading = expect(readAll(stream)).rejects.toThrow(lost);
    const finishing = expect(stream.finish()).rejects.toThrow(lost);
    peer.destroy();
    await reading;
    await finishing;
    await expect(stream.write(bytes("x"))).rejects.toThrow(lost);
  });

  test("a source that fails during an upload aborts it", async () => {
    const volume = { pool: "p", name: "v", key: "k" };
    async function* source() {
      yield bytes("first");
      throw new Error("the disk is gone");
    }
    const upload = connection.volumes.upload(volume, source());
    const failed = expect(upload).rejects.toThrow("the disk is gone");
    peer.reply(await peer.next());
    await failed;
    expect(await peer.next()).toMatchObject({ status: FrameStatus.continue });
    expect(await peer.next()).toMatchObject({ status: FrameStatus.error });
  });
});

describe("flow control", () => {
  class RecordingPort implements StreamPort {
    readonly name = "TEST";
    readonly timeoutMs = 1000;
    readonly sent: number[] = [];
    isReadable = true;
    isReleased = false;
    hasRoom = true;
    send(status: number): boolean {
      this.sent.push(status);
      return this.hasRoom;
    }
    setReadable(isReadable: boolean): void {
      this.isReadable = isReadable;
    }
    release(): void {
      this.isReleased = true;
    }
  }

  const half = Buffer.alloc(RECEIVE_HIGH_BYTES / 2);

  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("a stream that holds too much stops the connection's reading until it is read", async () => {
    const port = new RecordingPort();
    const stream = new ByteStream(port);
    stream.receive(half);
    expect(port.isReadable).toBe(true);
    stream.receive(half);
    expect(port.isReadable).toBe(false);
    await stream[Symbol.asyncIterator]().next();
    expect(port.isReadable).toBe(true);
    await vi.advanceTimersByTimeAsync(STALL_LIMIT_MS);
    expect(port.isReleased).toBe(false);
  });

  test("a stream that nobody reads is given up, and the connection reads on", async () => {
    const port = new RecordingPort();
    const stream = new ByteStream(port);
    stream.receive(half);
    stream.receive(half);
    await vi.advanceTimersByTimeAsync(STALL_LIMIT_MS);
    expect(port).toMatchObject({ isReadable: true, isReleased: true, sent: [FrameStatus.error] });
    await expect(stream.finish()).rejects.toThrow(
      expect.objectContaining({ code: "overloaded", isTransient: true }),
    );
  });

  test("a writer waits while the connection is full", async () => {
    const port = new RecordingPort();
    const stream = new ByteStream(port);
    port.hasRoom = false;
    let isWritten = false;
    const writing = stream.write(bytes("x")).then(() => {
      isWritten = true;
    });
    await vi.advanceTimersByTimeAsync(1);
    expect(isWritten).toBe(false);
    stream.drained();
    await writing;
  });

  test("a writer that waits longer than the deadline fails the stream", async () => {
    const port = new RecordingPort();
    const stream = new ByteStream(port);
    port.hasRoom = false;
    const writing = expect(stream.write(bytes("x"))).rejects.toThrow(
      expect.objectContaining({ code: "timed-out" }),
    );
    await vi.advanceTimersByTimeAsync(port.timeoutMs);
    await writing;
    expect(port.isReleased).toBe(true);
  });

  test("a stream that has ended stays as it ended", async () => {
    const port = new RecordingPort();
    const stream = new ByteStream(port);
    stream.fail(new LibvirtError("connection-lost", "first"));
    stream.fail(new LibvirtError("protocol", "second"));
    stream.abort();
    await expect(stream.finish()).rejects.toThrow("first");
    expect(port.sent).toEqual([]);
  });
});
