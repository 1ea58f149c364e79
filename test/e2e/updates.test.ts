/** Updates of real containers: a good one, one that halts, one that goes back by itself. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { describeIf, docker, libvirt, natsServer, root } from "../support/requires.ts";
import { Dev } from "./support/dev.ts";
import { documents, type Evm } from "./support/evm.ts";
import { containers } from "./support/fleets.ts";
import { docker as dockerTool, Footprint } from "./support/footprint.ts";

const REPLICAS = 3;

describeIf([root, libvirt, docker, natsServer], "updates of a fleet", () => {
  const resources = new AsyncDisposableStack();
  let footprint: Footprint;
  let evm: Evm;
  let web = "";

  beforeAll(async () => {
    footprint = resources.use(await Footprint.make("updates"));
    web = footprint.fleet("web");
    const dev = resources.use(await Dev.start(footprint));
    ({ evm } = dev);
    await eventually("the coordinator has heard of the host", async () =>
      (await evm.hosts()).find(({ liveness }) => liveness === "LIVENESS_UP"),
    );
  });
  afterAll(() => resources.disposeAsync());

  /** Ready where it says so; what fails is not started again. */
  const fleet = (word: string, update: object, command?: readonly string[]) => {
    const base = containers({ name: web, replicas: REPLICAS }, word);
    const healthCheck = {
      command: ["sh", "-c", `test "$WORD" = ${word}`],
      ...{ interval: "500ms", timeout: "5s", retries: 3, startPeriod: "0s" },
    };
    const container = { ...base.container, healthCheck, ...(command && { command }) };
    return { ...base, container, restart: { policy: "never" }, update };
  };

  const apply = (document: object) =>
    evm.run(["apply", "-f", "-", "--wait", "--timeout", "90s"], documents(document));
  const rollout = async () =>
    JSON.parse((await evm.run(["rollout", web, "--json"])).out).fleet.rollout;
  const idsByInstance = async () =>
    new Map((await footprint.containers()).map(({ instance, id }) => [instance, id]));

  test("a good one replaces every container, and leaves no extra one", async () => {
    const policy = { maxUnavailable: 0, maxSurge: 1 };
    await evm.apply(fleet("one", policy));
    const before = await idsByInstance();
    const plan = await evm.ok(["plan", "-f", "-"], documents(fleet("two", policy)));
    expect(plan).toMatch(new RegExp(`wave 1:\\n\\+ create ${web}-100000[^]*wave ${REPLICAS + 1}:`));

    const { code, err } = await apply(fleet("two", policy));
    expect(code, err).toBe(0);
    await eventually("the extra one is gone", async () =>
      (await evm.instances(web)).length === REPLICAS ? true : undefined,
    );
    const after = await idsByInstance();
    expect([...after.keys()]).toEqual([...before.keys()]);
    for (const [instance, id] of after) {
      expect(id).not.toBe(before.get(instance));
      expect(await dockerTool("logs", id)).toContain("started with two");
    }
    const events = await evm.ok(["events", "--fleet", web]);
    expect(events).toMatch(/RolloutStarted[\s\S]*RolloutDone/);
  });

  test("a bad one halts after the first failure, and all others run on", async () => {
    const before = await idsByInstance();
    const { code, err } = await apply(fleet("bad", {}, ["sh", "-c", "exit 1"]));
    expect(code).toBe(1);
    expect(err).toMatch(new RegExp(`the update of ${web} is halted: ${web}-0000 has failed`));
    const after = await idsByInstance();
    for (const [instance, id] of before) {
      if (instance !== `${web}-0000`) expect(after.get(instance), instance).toBe(id);
    }
    const running = (await footprint.containers()).filter(({ isRunning }) => isRunning);
    expect(running).toHaveLength(REPLICAS - 1);
    expect((await evm.run(["rollout", web])).code).toBe(1);
    expect(await evm.ok(["fleets"])).toContain(`${web} is halted: ${web}-0000 has failed`);

    const back = await evm.ok(["rollback", web, "--wait", "--timeout", "90s"]);
    expect(back).toContain(`${web} ${REPLICAS}/${REPLICAS} ready`);
    const { [`${web}-0000`]: restored, ...others } = Object.fromEntries(await idsByInstance());
    expect(await dockerTool("logs", restored ?? "")).toContain("started with two");
    for (const [instance, id] of Object.entries(others)) expect(before.get(instance)).toBe(id);
  });

  test("one that is to go back by itself does, says so, and touched no other", async () => {
    const before = await idsByInstance();
    const bad = fleet("worse", { onFailure: "rollback" }, ["sh", "-c", "exit 1"]);
    const { code, err } = await apply(bad);
    expect(code).toBe(1);
    expect(err).toMatch(new RegExp(`the update of ${web} was rolled back: ${web}-0000 has failed`));
    await evm.ok(["rollout", web, "--wait", "--timeout", "90s"]);
    expect(await rollout()).toMatchObject({
      state: "ROLLOUT_STATE_DONE",
      rolledBackBecause: expect.stringContaining("has failed"),
    });
    const after = await idsByInstance();
    for (const [instance, id] of before) {
      if (instance !== `${web}-0000`) expect(after.get(instance), instance).toBe(id);
    }
    expect(await evm.ok(["events", "--fleet", web])).toMatch(/RolledBack[\s\S]*RolloutDone/);
    await evm.delete(web);
  });
});
