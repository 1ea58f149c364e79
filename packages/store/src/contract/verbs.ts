import { expect, test } from "vitest";
import { StoreError } from "../store.ts";
import { WINDOW_BYTES } from "../verb-stream.ts";
import { bytes, collect, heard, hostName, type Setup, soon } from "./fixtures.ts";

const h1 = hostName("h1");

/** Streams between a coordinator and a host. */
export function verbContract(setup: Setup): void {
  test("a verb gets the request, and what it sends arrives whole and in order", async () => {
    await using world = await setup();
    const [coordinator, host] = [await world.coordinator("c1"), await world.host(h1)];
    const size = 3 * 1024 * 1024 + 17;
    host.serveVerb(
      "logs",
      async (request, stream) => {
        await stream.send(request);
        const content = Buffer.alloc(size, "0123456789");
        for (let start = 0; start < size; start += 100_000) {
          await stream.send(content.subarray(start, start + 100_000));
        }
      },
      soon(),
    );
    await heard(host);
    const stream = await coordinator.openVerb(h1, "logs", bytes("tail:"), soon());
    const all = await collect(stream.incoming);
    expect(all.length).toBe(size + 5);
    expect(all.equals(Buffer.concat([bytes("tail:"), Buffer.alloc(size, "0123456789")]))).toBe(
      true,
    );
  });

  test("where nobody reads the sender waits", async () => {
    await using world = await setup();
    const [coordinator, host] = [await world.coordinator("c1"), await world.host(h1)];
    let sent = 0;
    const piece = Buffer.alloc(WINDOW_BYTES / 4, "x");
    const filled = Promise.withResolvers<void>();
    host.serveVerb(
      "logs",
      async (_, stream) => {
        for (let count = 0; count < 40; count++) {
          if (sent === WINDOW_BYTES) filled.resolve();
          await stream.send(piece);
          sent += piece.length;
        }
      },
      soon(),
    );
    await heard(host);
    const stream = await coordinator.openVerb(h1, "logs", bytes(""), soon());
    await filled.promise;
    // The fifth piece waits for a reader: another verb's whole round changes nothing about that.
    host.serveVerb("console", async () => {}, soon());
    await heard(host);
    const other = await coordinator.openVerb(h1, "console", bytes(""), soon());
    await collect(other.incoming);
    expect(sent).toBe(WINDOW_BYTES);
    expect((await collect(stream.incoming)).length).toBe(40 * piece.length);
  });

  test("both sides talk at once", async () => {
    await using world = await setup();
    const [coordinator, host] = [await world.coordinator("c1"), await world.host(h1)];
    host.serveVerb(
      "console",
      async (_, stream) => {
        await stream.send(bytes("login: "));
        for await (const input of stream.incoming) {
          await stream.send(bytes(Buffer.from(input).toString().toUpperCase()));
          if (Buffer.from(input).toString() === "bye") return;
        }
      },
      soon(),
    );
    await heard(host);
    const stream = await coordinator.openVerb(h1, "console", bytes(""), soon());
    const outputs: string[] = [];
    const said = ["alice", "bye"];
    for await (const output of stream.incoming) {
      outputs.push(Buffer.from(output).toString());
      const next = said.shift();
      if (next !== undefined) await stream.send(bytes(next));
    }
    expect(outputs).toEqual(["login: ", "ALICE", "BYE"]);
    await expect(stream.send(bytes("more"))).rejects.toMatchObject({ code: "cancelled" });
  });

  test("a handler that fails ends the stream with its error, after what it had sent", async () => {
    await using world = await setup();
    const [coordinator, host] = [await world.coordinator("c1"), await world.host(h1)];
    host.serveVerb(
      "logs",
      async (request, stream) => {
        await stream.send(bytes("first"));
        const text = "logs of web-0001: no such instance";
        if (request.length > 0) throw new StoreError("notFound", text);
        throw new TypeError("a bug");
      },
      soon(),
    );
    const read = async (request: string) => {
      const outputs: string[] = [];
      await heard(host);
      const stream = await coordinator.openVerb(h1, "logs", bytes(request), soon());
      try {
        for await (const output of stream.incoming) outputs.push(Buffer.from(output).toString());
      } catch (error) {
        return { outputs, error };
      }
      return { outputs, error: undefined };
    };
    expect(await read("x")).toMatchObject({
      outputs: ["first"],
      error: { code: "notFound", message: "logs of web-0001: no such instance" },
    });
    expect(await read("")).toMatchObject({
      outputs: ["first"],
      error: { code: "failed", message: "a bug" },
    });
  });

  test("a client that gives up ends the handler", async () => {
    await using world = await setup();
    const [coordinator, host] = [await world.coordinator("c1"), await world.host(h1)];
    let ended = Promise.withResolvers<string>();
    host.serveVerb(
      "console",
      async (_, stream, signal) => {
        await stream.send(bytes("ready"));
        const inputs: string[] = [];
        try {
          for await (const input of stream.incoming) inputs.push(Buffer.from(input).toString());
          ended.resolve(`${inputs.join()} well ${signal.aborted}`);
        } catch (error) {
          ended.resolve(`${inputs.join()} ${error instanceof StoreError && error.code}`);
        }
      },
      soon(),
    );
    {
      await heard(host);
      await using stream = await coordinator.openVerb(h1, "console", bytes(""), soon());
      await stream.incoming[Symbol.asyncIterator]().next();
      await stream.send(bytes("exit"));
    }
    expect(await ended.promise).toBe("exit well true");

    ended = Promise.withResolvers();
    const abort = new AbortController();
    const stream = await coordinator.openVerb(h1, "console", bytes(""), abort.signal);
    const reader = stream.incoming[Symbol.asyncIterator]();
    await reader.next();
    abort.abort();
    expect(await ended.promise).toBe(" cancelled");
    await expect(reader.next()).rejects.toMatchObject({ code: "cancelled" });
  });

  test("a host that stops serving ends its streams and is then unavailable", async () => {
    await using world = await setup();
    const [coordinator, host] = [await world.coordinator("c1"), await world.host(h1)];
    const over = new AbortController();
    const hang: Parameters<typeof host.serveVerb>[1] = (_, _stream, signal) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
    host.serveVerb("logs", hang, over.signal);
    await heard(host);
    const stream = await coordinator.openVerb(h1, "logs", bytes(""), soon());
    over.abort();
    await expect(collect(stream.incoming)).rejects.toMatchObject({ code: "unavailable" });
    await expect(coordinator.openVerb(h1, "logs", bytes(""), soon())).rejects.toMatchObject({
      code: "unavailable",
    });
  });

  test("a host that is not there is unavailable", async () => {
    await using world = await setup();
    const coordinator = await world.coordinator("c1");
    await world.host(hostName("h2"));
    await expect(coordinator.openVerb(h1, "logs", bytes(""), soon())).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("h1"),
    });
  });
}
