import { describe, expect, test } from "vitest";
import { startCluster, startHost } from "../../packages/coordinator/test/cluster.ts";
import { evm } from "./evm.ts";

/** Instances of `web:bad` fail, all others are ready. */
const startFussyHost = (cluster: Parameters<typeof startHost>[0]) =>
  startHost(cluster, "h1", (template) => {
    const source = template.kind === "container" ? template.source : undefined;
    return source?.kind === "image" && source.reference === "web:bad" ? "failed" : "ready";
  });

const web = (tag: string, update = "{}") => `
name: web
replicas: 3
container: {image: "web:${tag}"}
resources: {vcpus: 0.1, memoryMib: 256}
update: ${update}
`;

describe("an update", () => {
  test("that is good is waited for to its end, and said to be done", async () => {
    await using cluster = await startCluster();
    await using _host = await startFussyHost(cluster);
    const server = cluster.address;
    await evm({ server, input: web("1") }, "apply", "-", "--wait");
    const planned = await evm({ server, input: web("2") }, "plan", "-");
    expect(planned.out).toContain("wave 2:\n~ replace web-0001 on h1");
    expect(await evm({ server, input: web("2") }, "apply", "-", "--wait")).toMatchObject({
      code: 0,
      out: expect.stringContaining("web 3/3 ready\n"),
    });
    const shown = await evm({ server }, "rollout", "web");
    expect(shown.code).toBe(0);
    expect(shown.out).toMatch(/^STATE +active\nUPDATED +3 of 3\nREADY +3 of 3\nOUTDATED +0\n/);
  });

  test("that fails is halted, with the reason, until it is undone", async () => {
    await using cluster = await startCluster();
    await using _host = await startFussyHost(cluster);
    const server = cluster.address;
    await evm({ server, input: web("1") }, "apply", "-", "--wait");
    const applied = await evm({ server, input: web("bad") }, "apply", "-", "--wait");
    expect(applied.code).toBe(1);
    expect(applied.err).toContain("the update of web is halted: web-0000 has failed");

    const halted = await evm({ server }, "rollout", "web");
    expect(halted.code).toBe(1);
    expect(halted.out).toMatch(/^STATE +halted\nUPDATED +1 of 3\nREADY +0 of 3\nOUTDATED +2\n/);
    const fleets = await evm({ server }, "fleets");
    expect(fleets.out).toMatch(/web is halted: web-0000 has failed; go on: evm rollout resume web/);
    const explained = await evm({ server }, "explain", "web-0001");
    expect(explained.out).toContain("its update is halted: web-0000 has failed");

    const back = await evm({ server }, "rollback", "web", "--wait");
    expect(back).toMatchObject({ code: 0, out: "web 3/3 ready\n" });
    const after = await evm({ server }, "rollout", "web");
    expect(after).toMatchObject({ code: 0, out: expect.stringMatching(/^STATE +rolled back\n/) });
    expect(after.out).toContain("web is rolled back: an operator asked for it\n");
  });

  test("that is to go back by itself does so, and says why", async () => {
    await using cluster = await startCluster();
    await using _host = await startFussyHost(cluster);
    const server = cluster.address;
    await evm({ server, input: web("1") }, "apply", "-", "--wait");
    const bad = web("bad", "{onFailure: rollback}");
    const applied = await evm({ server, input: bad }, "apply", "-", "--wait");
    expect(applied.code).toBe(1);
    expect(applied.err).toContain("the update of web was rolled back: web-0000 has failed");
    expect((await evm({ server }, "rollout", "web", "--wait")).code).toBe(0);
    const shown = JSON.parse((await evm({ server }, "rollout", "web", "--json")).out);
    expect(shown.fleet).toMatchObject({
      updated: 3,
      rollout: { state: "ROLLOUT_STATE_DONE", rolledBackBecause: "web-0000 has failed" },
    });
    const events = await evm({ server }, "events", "--fleet", "web");
    expect(events.out).toMatch(/RolloutStarted[\s\S]*RolledBack[\s\S]*RolloutDone/);
  });

  test("is paused and resumed; where there is none there is nothing to hold or undo", async () => {
    await using cluster = await startCluster();
    await using _host = await startFussyHost(cluster);
    const server = cluster.address;
    await evm({ server, input: web("1") }, "apply", "-", "--wait");
    const nothing = await evm({ server }, "rollout", "pause", "web");
    expect(nothing).toMatchObject({ code: 1, out: "" });
    expect(nothing.err).toContain('fleet "web": no update of it is under way');
    expect((await evm({ server }, "rollback", "web")).err).toContain(
      'fleet "web": it never had another template to go back to',
    );

    await evm({ server, input: web("bad") }, "apply", "-");
    const halted = await evm({ server }, "rollout", "web", "--wait");
    expect(halted.code).toBe(1);
    const paused = await evm({ server }, "rollout", "pause", "web");
    expect(paused.out).toContain("web is halted: web-0000 has failed");
    const resumed = await evm({ server }, "rollout", "resume", "web", "--json");
    expect(JSON.parse(resumed.out)).toMatchObject({
      fleet: { failed: 0, rollout: { state: "ROLLOUT_STATE_GOING", knownFailures: [0] } },
    });
    expect((await evm({ server }, "rollout", "pause", "web")).out).toContain(
      "web is paused: an operator paused it",
    );
    const waited = await evm({ server, input: web("bad") }, "apply", "-", "--wait");
    expect(waited.err).toContain("the update of web is paused: an operator paused it");
  });
});
