/** What operators do to hosts. */

import { describe, expect, test } from "vitest";
import { startCluster, startHost } from "../../packages/coordinator/test/cluster.ts";
import type { AgentId, HostName } from "../../packages/fleet/src/index.ts";
import { evm } from "./evm.ts";

const web = (replicas: number, image = "web:1") => `
name: web
replicas: ${replicas}
container: {image: "${image}"}
resources: {vcpus: 0.1, memoryMib: 64}
update: {maxUnavailable: 4}
`;

const stateOf = (out: string, host: string): string | undefined =>
  out
    .split("\n")
    .find((line) => line.startsWith(`${host} `))
    ?.split(/ {2,}/)[1];

describe("cordon", () => {
  test("is shown, and taken back by undrain or uncordon", async () => {
    await using cluster = await startCluster();
    await using _h1 = await startHost(cluster, "h1");
    await using _h2 = await startHost(cluster, "h2");
    const server = cluster.address;
    expect(await evm({ server }, "cordon", "h1")).toMatchObject({
      code: 0,
      out: "h1 is cordoned\n",
    });
    expect(stateOf((await evm({ server }, "hosts")).out, "h1")).toBe("up, cordoned");
    expect((await evm({ server }, "status")).out).toContain("hosts        2 up, 1 cordoned\n");
    expect((await evm({ server }, "uncordon", "h1")).out).toBe("h1 is in service\n");
    expect(stateOf((await evm({ server }, "hosts")).out, "h1")).toBe("up");
    expect((await evm({ server }, "cordon", "h3")).code).toBe(3);
  });
});

test("a name that two machines bear is shown, and which of them is refused", async () => {
  await using cluster = await startCluster();
  await using _h1 = await startHost(cluster, "h1");
  const server = cluster.address;
  expect((await evm({ server, input: web(1) }, "apply", "-f", "-", "--wait")).code).toBe(0);
  const beat = { host: "h1" as HostName, agent: "twin-1" as AgentId, epoch: 0, generation: 0 };
  expect(await cluster.store.host(beat.host).heartbeat(beat, AbortSignal.timeout(1_000))).toBe(
    undefined,
  );
  const refused = "two machines call themselves h1: agent agent-h1 is the host, agent twin-1 is";
  expect((await evm({ server }, "hosts")).out).toContain(`${refused} refused\n`);
  expect((await evm({ server }, "status")).out).toContain(
    "warning: two machines call themselves h1: agent twin-1 is refused until agent agent-h1 is",
  );
});

test("only hosts that are silent can be confirmed to be lost", async () => {
  await using cluster = await startCluster();
  await using _h1 = await startHost(cluster, "h1");
  const server = cluster.address;
  const none = await evm({ server }, "hosts", "confirm-lost", "--all-silent", "--confirm", "3");
  expect(none).toMatchObject({ code: 0, out: "no host is silent\n" });
  const up = await evm({ server }, "hosts", "confirm-lost", "h1", "--confirm", "1");
  expect(up).toMatchObject({
    code: 1,
    err: 'error: host "h1": is heard of, and so not lost\n',
  });
  expect((await evm({ server }, "hosts", "confirm-lost")).code).toBe(2);
  expect((await evm({ server }, "hosts", "confirm-lost", "h1", "--confirm", "x")).code).toBe(2);
});

describe("drain", () => {
  test("shows what would move, and changes nothing with --plan", async () => {
    await using cluster = await startCluster();
    await using _h1 = await startHost(cluster, "h1");
    const server = cluster.address;
    await evm({ server, input: web(3) }, "apply", "-f", "-", "--wait");
    await using _h2 = await startHost(cluster, "h2");
    const ran = await evm({ server }, "drain", "h1", "--plan");
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/^> move web-0000 from h1 to h2: .*\n(> .*\n){2}3 to move\.\n$/);
    const planned = await evm({ server }, "plan", "--drain", "h1");
    expect(planned.out).toBe(ran.out);
    expect(stateOf((await evm({ server }, "hosts")).out, "h1")).toBe("up");
    expect((await evm({ server }, "drain", "h1", "h9")).code).toBe(3);
    expect(stateOf((await evm({ server }, "hosts")).out, "h1")).toBe("up");
  });

  test("of two hosts at once waits for both", async () => {
    await using cluster = await startCluster();
    await using _h1 = await startHost(cluster, "h1");
    await using _h2 = await startHost(cluster, "h2");
    const server = cluster.address;
    await evm({ server, input: web(4) }, "apply", "-f", "-", "--wait");
    await using _h3 = await startHost(cluster, "h3");
    const ran = await evm({ server }, "drain", "h1", "h2", "--wait");
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/4 to move\.\nh1, h2 are empty\n$/);
  });
});

describe("what would disturb much", () => {
  test("is refused, with the command that carries it out", async () => {
    await using cluster = await startCluster();
    await using _h1 = await startHost(cluster, "h1");
    await using _h2 = await startHost(cluster, "h2");
    const server = cluster.address;
    await evm({ server, input: web(12) }, "apply", "-f", "-", "--wait");
    const what = "12 of 12 instances on 2 of 2 hosts; confirm with --confirm 12\n";
    const command = `evm --server ${server}`;

    const changed = await evm({ server, input: web(12, "web:2") }, "apply", "-f", "-");
    expect(changed).toEqual({
      code: 1,
      out: "",
      err: `error: this would replace ${what}  ${command} apply -f - --confirm 12\n`,
    });
    const scaled = await evm({ server }, "scale", "web", "0", "--confirm", "11");
    expect(scaled.err).toBe(
      `error: this would discard ${what.replace(";", ", not 11;")}` +
        `  ${command} scale web 0 --confirm 12\n`,
    );
    const deleted = await evm({ server }, "delete", "web", "--yes");
    expect(deleted.err).toContain(`error: this would discard ${what}`);
    const plan = await evm({ server }, "plan", "--delete", "web");
    expect(plan.out).toMatch(/This disturbs 12 of 12 .*, and so needs --confirm 12\.\n$/);
    expect((await evm({ server }, "fleets")).out).toContain("12/12");

    const carriedOut = await evm({ server }, "delete", "web", "--confirm", "12", "--wait");
    expect(carriedOut).toMatchObject({ code: 0, out: "web is being deleted\nweb gone\n" });
  });
});
