/** Clients of several coordinators, while these are killed and frozen. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeIf, docker, natsServer, root } from "../support/requires.ts";
import { AnyGrpcClient } from "./support/any-grpc-client.ts";
import { documents, EVM, Evm } from "./support/evm.ts";
import { containers } from "./support/fleets.ts";
import { Footprint } from "./support/footprint.ts";
import { Parts } from "./support/parts.ts";
import { Program } from "./support/program.ts";

describeIf([root, docker, natsServer], "clients of three coordinators", () => {
  const resources = new AsyncDisposableStack();
  let footprint: Footprint;
  let parts: Parts;
  let [second, third]: Program[] = [];
  /** The addresses of all three. */
  let addresses: readonly string[] = [];
  let web = "";

  beforeAll(async () => {
    footprint = resources.use(await Footprint.make("clients"));
    web = footprint.fleet("web");
    parts = resources.use(
      await Parts.start(footprint, { pool: await footprint.subfolder("pool") }),
    );
    const two = await parts.startAnotherCoordinator("c2");
    const three = await parts.startAnotherCoordinator("c3");
    [second, third] = [two.program, three.program];
    addresses = [parts.evm.server, two.api, three.api];
  });
  afterAll(() => resources.disposeAsync());

  const evmOf = (...servers: readonly string[]) => new Evm(servers.join(","));

  const started = (...words: readonly string[]): Program =>
    new Program({
      command: process.execPath,
      arguments: [EVM, "--server", addresses.join(","), ...words],
    });

  test("an apply that waits goes on when its coordinator, the leader, is killed", async () => {
    // Nothing becomes ready while the agent stands still, so that the wait is still on.
    parts.agent.kill("SIGSTOP");
    await using applying = new Program({
      command: "sh",
      arguments: [
        "-c",
        'printf %s "$1" | "$2" "$3" --server "$4" apply -f - --wait --timeout 90s',
        ...["sh", documents(containers({ name: web, replicas: 2 }))],
        ...[process.execPath, EVM, addresses.join(",")],
      ],
    });
    await applying.said(/ 0\/2 ready/);
    await parts.coordinator.end("SIGKILL");
    parts.agent.kill("SIGCONT");
    expect(await applying.ended, applying.output).toBe(0);
    expect(applying.output).toMatch(/ 2\/2 ready/);
  });

  test("commands pass over the dead one, and the frozen one, without a word", async () => {
    const [dead = "", frozen = "", good = ""] = addresses;
    second?.kill("SIGSTOP");
    try {
      const { code, err } = await evmOf(dead, frozen, good).run(["ps"]);
      expect([code, err]).toEqual([0, ""]);
    } finally {
      second?.kill("SIGCONT");
    }
  });

  test("events and logs that are followed go on when their coordinator freezes", async () => {
    await using events = started("events", "-w", "--fleet", web);
    await using logs = started("logs", "-f", "--tail", "1", `${web}-0000`);
    await events.said(/InstanceReady +\S+-web-0001/);
    const [, count] = await logs.said(/^count (\d+)/);
    second?.kill("SIGSTOP");
    try {
      await evmOf(...addresses).scale(web, 3);
      await events.said(/InstanceReady +\S+-web-0002/);
      await events.said(/; trying again/);
      await logs.said(new RegExp(`^count ${Number(count) + 12}$`));
    } finally {
      second?.kill("SIGCONT");
    }
    const told = events.lines.filter((line) => !line.includes("trying again"));
    expect(told).toEqual([...new Set(told)]);
    const counts = logs.lines.flatMap((line) => /^count (\d+)$/.exec(line)?.[1] ?? []).map(Number);
    expect(counts).toEqual(counts.map((_, at) => Number(count) + at));
    expect(await events.end("SIGINT")).toBe(130);
    expect(await logs.end("SIGINT")).toBe(130);
  });

  test("any client of gRPC that takes several addresses finds one that answers", async () => {
    using client = new AnyGrpcClient(`ipv4:${addresses.join(",")}`);
    expect(await client.call("evm.v1.ClusterService", "GetClusterStatus")).toMatchObject({
      coordinator: expect.stringMatching(/^c[23]$/),
    });
    await third?.end("SIGKILL");
    expect(await client.call("evm.v1.ClusterService", "GetClusterStatus")).toMatchObject({
      coordinator: "c2",
    });
  });

  test("with one coordinator left, all can be deleted", async () => {
    await evmOf(...addresses).delete(web);
    expect(await footprint.containers()).toEqual([]);
  });
});
