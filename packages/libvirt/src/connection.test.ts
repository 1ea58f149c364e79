import { describe, expect, test } from "vitest";
import {
  errorTo,
  type FakeDaemon,
  message,
  type Peer,
  replyTo,
  startFakeDaemon,
} from "../test/fake-daemon.ts";
import { type Connection, type ConnectOptions, connect } from "./connection.ts";
import { FRAME_MAX_BYTES, FRAME_MIN_BYTES, Program } from "./frame.ts";
import { KeepaliveProcedure } from "./keepalive.ts";
import { LIFECYCLE_MESSAGE } from "./procedures/domain-event.ts";
import { writeDomain } from "./structs.ts";

const uri = "test:///default";
const web = { name: "web", uuid: "c7a5fdbd-edaf-9455-926a-d65c16db1809", id: undefined };

interface Pair extends AsyncDisposable {
  readonly connection: Connection;
  readonly peer: Peer;
}

/** A connection and the far end of it. */
async function pair(options: Partial<ConnectOptions> = {}): Promise<Pair> {
  const daemon: FakeDaemon = await startFakeDaemon();
  const connection = await connect({ socketPath: daemon.socketPath, uri, ...options });
  return {
    connection,
    peer: await daemon.peer,
    [Symbol.asyncDispose]: async () => {
      await connection.close();
      await daemon[Symbol.asyncDispose]();
    },
  };
}

const code = (name: string, isTransient?: boolean) =>
  expect.objectContaining(isTransient === undefined ? { code: name } : { code: name, isTransient });

describe("connecting", () => {
  test("to no daemon fails transiently, and says where", async () => {
    await expect(connect({ socketPath: "/nonexistent/sock", uri })).rejects.toThrow(
      expect.objectContaining({
        code: "connect-failed",
        isTransient: true,
        message: expect.stringContaining("connecting to /nonexistent/sock: "),
      }),
    );
  });

  test("to a daemon that wants authentication names the kind", async () => {
    await using daemon = await startFakeDaemon({ auths: [2] });
    await expect(connect({ socketPath: daemon.socketPath, uri })).rejects.toThrow(
      expect.objectContaining({
        code: "unsupported",
        isTransient: false,
        message: expect.stringContaining("polkit"),
      }),
    );
  });

  test("to a daemon that refuses the URI rejects with its reason, and hangs up", async () => {
    await using daemon = await startFakeDaemon({
      onOpen: (frame, peer) => peer.send(errorTo(frame, 5)),
    });
    await expect(connect({ socketPath: daemon.socketPath, uri })).rejects.toThrow(
      code("NO_CONNECT"),
    );
    await (await daemon.peer).closed;
  });

  test("with a window that lets no call through is refused", async () => {
    await expect(connect({ uri, maxCallsInFlight: 0 })).rejects.toThrow(code("invalid-argument"));
  });

  test("to a daemon that says nothing ends at the deadline", async () => {
    await using daemon = await startFakeDaemon({ onOpen: () => {} });
    await expect(connect({ socketPath: daemon.socketPath, uri, timeoutMs: 20 })).rejects.toThrow(
      code("timed-out", true),
    );
  });

  test("ends when the caller aborts, and hangs up", async () => {
    const abort = new AbortController();
    await using daemon = await startFakeDaemon({ onOpen: () => abort.abort() });
    await expect(
      connect({ socketPath: daemon.socketPath, uri, signal: abort.signal }),
    ).rejects.toThrow(code("aborted"));
    await (await daemon.peer).closed;
  });
});

describe("calls", () => {
  test("get their own replies, in whatever order those come", async () => {
    await using both = await pair();
    const { connection, peer } = both;
    const names = Promise.all([connection.host.hostname(), connection.host.driver()]);
    const first = await peer.next();
    const second = await peer.next();
    peer.reply(second, (w) => w.string("TEST"));
    peer.reply(first, (w) => w.string("vm"));
    expect(await names).toEqual(["vm", "TEST"]);
  });

  test("beyond the window wait until the daemon has answered one", async () => {
    await using both = await pair({ maxCallsInFlight: 2 });
    const { connection, peer } = both;
    const names = Promise.all(["a", "b", "c"].map(() => connection.host.hostname()));
    const first = await peer.next();
    const second = await peer.next();
    expect(peer.waiting).toBe(0);
    peer.reply(second, (w) => w.string("b"));
    const third = await peer.next();
    for (const frame of [first, third]) peer.reply(frame, (w) => w.string("x"));
    expect(await names).toEqual(["x", "b", "x"]);
  });

  test("that are aborted in the queue are never sent", async () => {
    await using both = await pair({ maxCallsInFlight: 1 });
    const { connection, peer } = both;
    const abort = new AbortController();
    const first = connection.host.hostname();
    const second = connection.host.driver({ signal: abort.signal });
    const third = connection.host.uri();
    abort.abort(new Error("enough"));
    await expect(second).rejects.toThrow(
      expect.objectContaining({ code: "aborted", cause: new Error("enough") }),
    );
    peer.reply(await peer.next(), (w) => w.string("vm"));
    peer.reply(await peer.next(), (w) => w.string(uri));
    expect([await first, await third]).toEqual(["vm", uri]);
  });

  test("that are aborted after they were sent keep their place until the answer", async () => {
    await using both = await pair({ maxCallsInFlight: 1 });
    const { connection, peer } = both;
    const abort = new AbortController();
    const first = connection.domains.create(web, { signal: abort.signal });
    const sent = await peer.next();
    abort.abort();
    await expect(first).rejects.toThrow(code("aborted"));
    const second = connection.host.hostname();
    expect(peer.waiting).toBe(0);
    peer.send(replyTo(sent, (w) => writeDomain(w, web)));
    peer.reply(await peer.next(), (w) => w.string("vm"));
    expect(await second).toBe("vm");
  });

  test("end at their deadline; the late reply is dropped and the connection goes on", async () => {
    await using both = await pair();
    const { connection, peer } = both;
    await expect(connection.host.hostname({ timeoutMs: 10 })).rejects.toThrow(
      code("timed-out", true),
    );
    const second = connection.host.hostname();
    peer.reply(await peer.next(), (w) => w.string("late"));
    peer.reply(await peer.next(), (w) => w.string("in time"));
    expect(await second).toBe("in time");
  });

  test("may be given any time at all", async () => {
    await using both = await pair();
    const { connection, peer } = both;
    const name = connection.host.hostname({ timeoutMs: Number.POSITIVE_INFINITY });
    peer.reply(await peer.next(), (w) => w.string("vm"));
    expect(await name).toBe("vm");
  });

  test("with arguments that cannot be sent reject, and nothing is sent", async () => {
    await using both = await pair();
    const { connection, peer } = both;
    await expect(connection.domains.lookupByName("a\0b")).rejects.toThrow(code("invalid-argument"));
    await expect(connection.domains.lookupByUuid("no uuid")).rejects.toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: 'DOMAIN_LOOKUP_BY_UUID: writing a UUID: "no uuid" is none',
      }),
    );
    expect(peer.waiting).toBe(0);
  });

  test("whose reply lies about a length reject alone", async () => {
    await using both = await pair();
    const { connection, peer } = both;
    const lied = connection.host.hostname();
    peer.reply(await peer.next(), (w) => w.uint(1000));
    await expect(lied).rejects.toThrow(code("protocol", false));
    const next = connection.host.hostname();
    peer.reply(await peer.next(), (w) => w.string("vm"));
    expect(await next).toBe("vm");
  });
});

describe("a connection ends", () => {
  test("when the daemon dies: what waits and what comes later fails transiently", async () => {
    await using both = await pair({ maxCallsInFlight: 1 });
    const { connection, peer } = both;
    const calls = [connection.host.hostname(), connection.domains.list()];
    await peer.next();
    peer.destroy();
    const outcomes = await Promise.allSettled(calls);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ reason: { code: "connection-lost", isTransient: true } });
    }
    await expect(connection.host.uri()).rejects.toThrow(code("connection-lost", true));
    expect(await connection.closed).toMatchObject({ code: "connection-lost" });
  });

  test("when it is closed, without an error for who closes it", async () => {
    await using both = await pair();
    const { connection, peer } = both;
    const call = connection.host.hostname();
    await peer.next();
    const outcome = expect(call).rejects.toThrow(code("connection-closed", false));
    await connection.close();
    await connection.close();
    await outcome;
    expect(await connection.closed).toMatchObject({ code: "connection-closed" });
  });

  test.each([
    ["a frame longer than the protocol allows", () => lengthWord(FRAME_MAX_BYTES + 1)],
    ["a frame shorter than a header", () => lengthWord(FRAME_MIN_BYTES - 1)],
    ["a program that nobody speaks", () => message(0x12345678, 1)],
    [
      "a reply that nobody asked for",
      () => replyTo({ ...strayReply, version: 1, payload: Buffer.alloc(0) }),
    ],
    ["an event that is cut short", () => message(Program.remote, LIFECYCLE_MESSAGE)],
  ])("at %s", async (_, bytes) => {
    await using both = await pair();
    const { connection, peer } = both;
    peer.send(bytes());
    expect(await connection.closed).toMatchObject({ code: "protocol", isTransient: false });
    await peer.closed;
  });
});

const strayReply = { program: Program.remote, procedure: 59, type: 1, serial: 4711, status: 0 };

function lengthWord(length: number): Buffer {
  const bytes = Buffer.alloc(FRAME_MIN_BYTES);
  bytes.writeUInt32BE(length, 0);
  return bytes;
}

describe("keepalives", () => {
  const { ping, pong } = KeepaliveProcedure;

  test("of the daemon are answered", async () => {
    await using both = await pair();
    const { peer } = both;
    peer.send(message(Program.keepalive, ping));
    expect(await peer.next()).toMatchObject({ program: Program.keepalive, procedure: pong });
  });

  test("go to a silent daemon, and an answer is a sign of life", async () => {
    await using both = await pair({ keepalive: { intervalMs: 5, misses: 1000 } });
    const { connection, peer } = both;
    expect(await peer.next()).toMatchObject({ program: Program.keepalive, procedure: ping });
    peer.send(message(Program.keepalive, pong));
    expect(await peer.next()).toMatchObject({ program: Program.keepalive, procedure: ping });
    const name = connection.host.hostname();
    for (;;) {
      const frame = await peer.next();
      if (frame.program === Program.keepalive) continue;
      peer.reply(frame, (w) => w.string("vm"));
      break;
    }
    expect(await name).toBe("vm");
  });

  test("that stay unanswered end the connection, and fail the calls", async () => {
    await using both = await pair({ keepalive: { intervalMs: 5, misses: 2 } });
    const { connection } = both;
    await expect(connection.host.hostname()).rejects.toThrow(code("connection-lost", true));
    expect((await connection.closed).message).toContain("2 keepalives");
  });
});
