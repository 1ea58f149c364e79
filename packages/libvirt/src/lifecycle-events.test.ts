import { describe, expect, test } from "vitest";
import { message, type Peer, replyTo, startFakeDaemon } from "../test/fake-daemon.ts";
import { type Connection, connect } from "./connection.ts";
import { Program } from "./frame.ts";
import { EVENT_LIMIT, type LifecycleWatch } from "./lifecycle-events.ts";
import { domainEventProcedures, LIFECYCLE_MESSAGE } from "./procedures/domain-event.ts";
import { writeDomain } from "./structs.ts";

const web = { name: "web", uuid: "c7a5fdbd-edaf-9455-926a-d65c16db1809", id: undefined };

const event = (callbackId: number, number: number, detail: number): Buffer =>
  message(Program.remote, LIFECYCLE_MESSAGE, (w) => {
    w.int(callbackId);
    writeDomain(w, web);
    w.int(number).int(detail);
  });

interface Watched extends AsyncDisposable {
  readonly connection: Connection;
  readonly peer: Peer;
  readonly watch: LifecycleWatch;
}

/** A connection with a watch; `following` arrives in one packet with the reply that begins it. */
async function watched(signal?: AbortSignal, following: readonly Buffer[] = []): Promise<Watched> {
  const daemon = await startFakeDaemon();
  const connection = await connect({ socketPath: daemon.socketPath, uri: "test:///default" });
  const peer = await daemon.peer;
  const watching = connection.domains.watch({ signal });
  const request = await peer.next();
  peer.send(
    replyTo(request, (w) => w.int(7)),
    ...following,
  );
  return {
    connection,
    peer,
    watch: await watching,
    [Symbol.asyncDispose]: async () => {
      await connection.close();
      await daemon[Symbol.asyncDispose]();
    },
  };
}

async function take(watch: LifecycleWatch, count: number): Promise<string[]> {
  const taken: string[] = [];
  for await (const { event: name, detail } of watch) {
    taken.push(`${name}/${detail}`);
    if (taken.length === count) break;
  }
  return taken;
}

describe("a watch", () => {
  test("delivers events that arrive together with the reply that began it", async () => {
    await using all = await watched(undefined, [event(7, 2, 0), event(7, 5, 2)]);
    expect(await take(all.watch, 2)).toEqual(["started/booted", "stopped/crashed"]);
  });

  test("delivers no event of another registration", async () => {
    await using all = await watched(undefined, [event(8, 2, 0), event(7, 0, 0)]);
    expect(await take(all.watch, 1)).toEqual(["defined/added"]);
  });

  test("that is disposed of is deregistered, once", async () => {
    await using all = await watched();
    const disposed = Promise.all([
      all.watch[Symbol.asyncDispose](),
      all.watch[Symbol.asyncDispose](),
    ]);
    const request = await all.peer.next();
    expect(request.procedure).toBe(domainEventProcedures.deregister.number);
    expect(request.payload.readInt32BE(0)).toBe(7);
    all.peer.reply(request);
    await disposed;
    expect(all.peer.waiting).toBe(0);
  });

  test("ends with its signal, after what had arrived", async () => {
    const abort = new AbortController();
    await using all = await watched(abort.signal, [event(7, 2, 0)]);
    abort.abort();
    expect(await take(all.watch, 1)).toEqual(["started/booted"]);
    await expect(take(all.watch, 1)).rejects.toThrow(expect.objectContaining({ code: "aborted" }));
  });

  test("whose signal aborted while it was registered has ended", async () => {
    const abort = new AbortController();
    await using daemon = await startFakeDaemon();
    await using connection = await connect({ socketPath: daemon.socketPath, uri: "test:///x" });
    const peer = await daemon.peer;
    const watching = connection.domains.watch({ signal: abort.signal });
    const request = await peer.next();
    abort.abort();
    peer.reply(request, (w) => w.int(7));
    const watch = await watching;
    await expect(take(watch, 1)).rejects.toThrow(expect.objectContaining({ code: "aborted" }));
    const disposed = watch[Symbol.asyncDispose]();
    peer.reply(await peer.next());
    await disposed;
  });

  test("ends with the connection, transiently", async () => {
    await using all = await watched();
    const waiting = take(all.watch, 1);
    all.peer.destroy();
    await expect(waiting).rejects.toThrow(
      expect.objectContaining({ code: "connection-lost", isTransient: true }),
    );
    await all.watch[Symbol.asyncDispose]();
  });

  test("is disposed of without complaint when the connection ends meanwhile", async () => {
    await using all = await watched();
    const disposed = all.watch[Symbol.asyncDispose]();
    await all.peer.next();
    all.peer.destroy();
    await disposed;
  });

  test("that nobody reads is told how much it missed, and the connection goes on", async () => {
    const flood = Array.from({ length: EVENT_LIMIT + 1 }, () => event(7, 2, 0));
    await using all = await watched(undefined, flood);
    const name = all.connection.host.hostname();
    all.peer.reply(await all.peer.next(), (w) => w.string("vm"));
    expect(await name).toBe("vm");
    await expect(take(all.watch, EVENT_LIMIT + 1)).rejects.toThrow(
      expect.objectContaining({ code: "overloaded", isTransient: true }),
    );
  });
});
