import { describe, expect, test } from "vitest";
import { recordingTerminal } from "../../packages/cli/src/output/recording-terminal.testing.ts";
import {
  startCluster,
  startHost,
  type TestCluster,
} from "../../packages/coordinator/test/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { evm } from "./evm.ts";

const WEB = `
name: web
replicas: 1
container: {image: "web:1"}
resources: {vcpus: 0.1, memoryMib: 256}
`;

type HostOf = TestCluster["store"]["host"];
type Handler = Parameters<ReturnType<HostOf>["serveVerb"]>[1];

/** A cluster whose instance web-0000 is ready, and answers a verb with `handler`. */
async function webThat(verb: "logs" | "console", handler: Handler) {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster());
  stack.use(await startHost(cluster, "h1"));
  const server = cluster.address;
  await evm({ server, input: WEB }, "apply", "-f", "-", "--wait");
  const end = new AbortController();
  stack.defer(() => end.abort());
  cluster.store.host("h1" as Parameters<HostOf>[0]).serveVerb(verb, handler, end.signal);
  const whole = stack.move();
  return { server, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

describe("logs", () => {
  test("are printed byte for byte", async () => {
    await using web = await webThat("logs", async (_request, stream) => {
      for (const piece of ["one\n", "two, not yet en", "ded"]) {
        await stream.send(Buffer.from(piece));
      }
    });
    const ran = await evm({ server: web.server }, "logs", "web-0000", "--tail", "2");
    expect(ran).toEqual({ code: 0, out: "one\ntwo, not yet ended", err: "" });
  });

  test("are followed until Ctrl-C, which exits with 130", async () => {
    await using web = await webThat("logs", async (_request, stream, signal) => {
      await stream.send(Buffer.from("up\n"));
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    });
    const ctrlC = new AbortController();
    const terminal = recordingTerminal({ onOut: () => ctrlC.abort() });
    const options = { server: web.server, terminal, signal: ctrlC.signal };
    const ran = await evm(options, "logs", "-f", "web-0000");
    expect(ran).toEqual({ code: 130, out: "up\n", err: "" });
  });
});

/** A guest that answers every piece of input, and powers off when told so. */
const guest: Handler = async (_request, stream) => {
  await stream.send(Buffer.from("login: "));
  for await (const data of stream.incoming) {
    const text = Buffer.from(data).toString();
    await stream.send(Buffer.from(`<${text}>`));
    if (text.includes("poweroff")) return;
  }
};

describe("console", () => {
  test("sends keys as they are pressed until Ctrl-], and restores the terminal", async () => {
    await using web = await webThat("console", guest);
    const terminal = recordingTerminal({
      isInputTty: true,
      onOut: (out) => {
        if (out === "login: ") terminal.type("\u0003");
        if (out.endsWith("<\u0003>")) terminal.type("\u001dnot sent");
      },
    });
    const ran = await evm({ server: web.server, terminal }, "console", "web-0000");
    expect(ran).toMatchObject({ code: 0, out: "login: <\u0003>" });
    expect(terminal.rawModes).toEqual([true, false]);
  });

  test("ends with the instance", async () => {
    await using web = await webThat("console", guest);
    const terminal = recordingTerminal({ isInputTty: true });
    terminal.type("poweroff\n");
    const ran = await evm({ server: web.server, terminal }, "console", "web-0000");
    expect(ran).toMatchObject({ code: 0, out: "login: <poweroff\n>" });
    expect(terminal.rawModes).toEqual([true, false]);
  });

  test("takes piped input, and prints the answer that comes after its end", async () => {
    await using web = await webThat("console", guest);
    const options = { server: web.server, input: "poweroff\n" };
    expect(await evm(options, "console", "web-0000")).toEqual({
      code: 0,
      out: "login: <poweroff\n>",
      err: "",
    });
  });

  test("of an instance that does not exist restores the terminal", async () => {
    await using web = await webThat("console", guest);
    const terminal = recordingTerminal({ isInputTty: true });
    const ran = await evm({ server: web.server, terminal }, "console", "x-0000");
    expect(ran.code).toBe(3);
    expect(terminal.rawModes).toEqual([true, false]);
  });
});

describe("events", () => {
  test("are listed, aligned, the newest last, as many as asked for", async () => {
    await using cluster = await startCluster();
    const server = cluster.address;
    await evm({ server, input: WEB }, "apply", "-f", "-");
    await evm({ server }, "scale", "web", "0");
    await evm({ server }, "scale", "web", "3");
    const { out } = await evm({ server }, "events", "--fleet", "web", "-n", "2");
    expect(out.split("\n").map((line) => line.split(/ {2,}/).slice(1))).toEqual([
      ["info", "FleetScaled", "web", "web to 0"],
      ["info", "FleetScaled", "web", "web to 3"],
      [],
    ]);
    const json = await evm({ server }, "events", "--fleet", "nobody", "--json");
    expect(JSON.parse(json.out)).toEqual({ events: [], nextPageToken: "" });
  });

  test("are aligned also where a reason is long", async () => {
    await using cluster = await startCluster();
    await using _host = await startHost(cluster, "h1");
    const server = cluster.address;
    await evm({ server, input: WEB }, "apply", "-f", "-", "--wait");
    await evm({ server }, "restart", "web-0000");
    // The answer says that it will be ordered; the leader orders it with its next pass.
    const out = await eventually("the restart is told", async () => {
      const events = await evm({ server }, "events", "--instance", "web-0000");
      return / {2}InstanceRestartOrdered +web-0000 {2}/.test(events.out) ? events.out : undefined;
    });
    const columns = out
      .trimEnd()
      .split("\n")
      .map((line) => line.indexOf("web-0000"));
    expect(new Set(columns).size).toBe(1);
  });

  test("are followed as lines of JSON, none twice and none left out", async () => {
    await using cluster = await startCluster();
    const server = cluster.address;
    await evm({ server, input: WEB }, "apply", "-f", "-");
    const ctrlC = new AbortController();
    const scaled: Promise<unknown>[] = [];
    const terminal = recordingTerminal({
      onOut: (out) => {
        if (scaled.length === 0) scaled.push(evm({ server }, "scale", "web", "5"));
        if (out.includes("web to 5")) ctrlC.abort();
      },
    });
    const options = { server, terminal, signal: ctrlC.signal };
    const ran = await evm(options, "events", "-w", "--fleet", "web", "--json");
    await Promise.all(scaled);
    const lines = ran.out.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).event.reason)).toEqual([
      "FleetApplied",
      "FleetScaled",
    ]);
    expect(ran.code).toBe(130);
  });
});
