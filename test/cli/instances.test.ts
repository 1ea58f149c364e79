import { expect, test } from "vitest";
import {
  startCluster,
  startHost,
  type TestCluster,
} from "../../packages/coordinator/test/cluster.ts";
import { evm } from "./evm.ts";

const WEB = `
name: web
replicas: 2
container: {image: "web:1"}
resources: {vcpus: 0.1, memoryMib: 256}
`;

async function applyWeb(cluster: TestCluster): Promise<string> {
  const server = cluster.address;
  const { code, err } = await evm({ server, input: WEB }, "apply", "-f", "-", "--wait");
  expect([code, err.includes("error")]).toEqual([0, false]);
  return server;
}

/** Phase and incarnation of the only instance in a table of instances. */
const row = (out: string) => out.split("\n")[1]?.split(/\s+/).slice(0, 6);

test("an instance is stopped, started and restarted, and waited for", async () => {
  await using cluster = await startCluster();
  await using _host = await startHost(cluster, "h1");
  const server = await applyWeb(cluster);
  const stopped = await evm({ server }, "stop", "web-0001", "--wait");
  expect(row(stopped.out)?.slice(0, 4)).toEqual(["web-0001", "container", "h1", "stopped"]);
  expect((await evm({ server }, "fleets")).out).toContain("1/1");
  const started = await evm({ server }, "start", "web-0001", "--wait");
  expect(row(started.out)?.[3]).toBe("ready");
  const restarted = await evm({ server }, "restart", "web-0001", "--wait", "--json");
  expect(JSON.parse(restarted.out)).toMatchObject({
    instance: { name: "web-0001", incarnation: 2, phase: "PHASE_READY" },
    minIncarnation: 2,
  });
});

test("what does not exist exits with 3", async () => {
  await using cluster = await startCluster();
  const server = cluster.address;
  const lines = ["stop x-0000", "explain x-0000", "logs x-0000", "drain h9", "scale x 1", "ps x"];
  for (const line of [...lines, "ps --host h9"]) {
    const ran = await evm({ server }, ...line.split(" "));
    expect([line, ran.code, ran.out]).toEqual([line, 3, ""]);
    expect(ran.err).toContain("there is none of this name");
  }
});

test("a drained host is empty when the wait for it ends, and can be taken back", async () => {
  await using cluster = await startCluster();
  await using _h1 = await startHost(cluster, "h1");
  const server = await applyWeb(cluster);
  await using _h2 = await startHost(cluster, "h2");
  expect((await evm({ server }, "hosts")).out).toContain("h1    up");
  const drained = await evm({ server }, "drain", "h1", "--wait");
  expect(drained).toMatchObject({ code: 0 });
  expect(drained.out).toMatch(/2 to move\.\nh1 is empty\n$/);
  // What was the last to leave may still be on its way.
  await evm({ server }, "scale", "web", "2", "--wait");
  const { out } = await evm({ server }, "ps", "--host", "h2");
  expect(out.match(/ready/g)).toHaveLength(2);
  expect((await evm({ server }, "undrain", "h1")).out).toBe("h1 is in service\n");
});

test("a drain with nowhere to go says at its timeout what stays, and why", async () => {
  await using cluster = await startCluster();
  await using _h1 = await startHost(cluster, "h1");
  const server = await applyWeb(cluster);
  const ran = await evm({ server }, "drain", "h1", "--wait", "--timeout", "300ms");
  expect(ran.code).toBe(4);
  expect(ran.out).toContain("! web-0000 waits: runs on, as there is no room to move it\n");
  expect(ran.err).toMatch(/^moved 0 of 2\n {2}web-000\d runs on, as there is no room to move it\n/);
  expect(ran.err).toContain("2 instances are left\n  web-0000: ready on h1: ");
});

test("what is asked for without a wait is said to be under way", async () => {
  await using cluster = await startCluster();
  await using _host = await startHost(cluster, "h1");
  const server = await applyWeb(cluster);
  expect((await evm({ server }, "stop", "web-0001")).out).toBe("web-0001 is being stopped\n");
  expect((await evm({ server }, "start", "web-0001")).out).toBe("web-0001 is being started\n");
});

test("the status tells who leads, what there is, and what waits", async () => {
  await using cluster = await startCluster();
  await using _host = await startHost(cluster, "h1");
  const server = await applyWeb(cluster);
  const big = WEB.replace("web\n", "big\n").replace("256", "999999");
  await evm({ server, input: big }, "apply", "-f", "-");
  const { out } = await evm({ server }, "status");
  expect(out).toMatch(/^leader {7}c1 \(epoch \d+\)$/m);
  expect(out).toMatch(/^hosts {8}1 up$/m);
  expect(out).toMatch(/^! big-0000 waits: .*\n {4}memory: /m);
});

test("what has no coordinator to talk to exits with 5", async () => {
  const ran = await evm({ server: "127.0.0.1:1" }, "ps");
  expect(ran.code).toBe(5);
  expect(ran.err).toContain("no coordinator answers at 127.0.0.1:1");
});

test("a wrong command line exits with 2", async () => {
  const server = "127.0.0.1:1";
  for (const line of ["scale web many", "ps --no-such", "apply -f - --timeout soon", "nonsense"]) {
    const ran = await evm({ server }, ...line.split(" "));
    expect([line, ran.code]).toEqual([line, 2]);
  }
});
