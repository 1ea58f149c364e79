/** A day of an operator, on one `evm dev`; each test finds what the ones before it left. */
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { describeIf, docker, guest, libvirt, natsServer, root } from "../support/requires.ts";
import { AnyGrpcClient } from "./support/any-grpc-client.ts";
import { Dev } from "./support/dev.ts";
import { documents, EVM, type Evm } from "./support/evm.ts";
import { containers, vms } from "./support/fleets.ts";
import { docker as dockerTool, Footprint, virsh } from "./support/footprint.ts";
import { Program } from "./support/program.ts";

const BAD_FILE = `name: Bad_Name
replicas: -1
container:
  image: evm/busybox:1
  comand: [sh]
resources:
  memoryMib: lots
---
name: other
vm: {image: micro}
`;

describeIf([root, libvirt, docker, natsServer, guest], "evm dev, operated", () => {
  const resources = new AsyncDisposableStack();
  let footprint: Footprint;
  let dev: Dev;
  let evm: Evm;
  /** The names of the fleets. */
  let [linux, web] = ["", ""];
  let foreign: { readonly domain: string; readonly container: string };

  beforeAll(async () => {
    footprint = resources.use(await Footprint.make("operate"));
    [linux, web] = [footprint.fleet("linux"), footprint.fleet("web")];
    foreign = await startForeign(footprint, resources);
    dev = resources.use(await Dev.start(footprint));
    ({ evm } = dev);
    await eventually("the coordinator has heard of the host", async () =>
      (await evm.hosts()).find(({ liveness }) => liveness === "LIVENESS_UP"),
    );
    await evm.addGuest("micro");
  });
  afterAll(() => resources.disposeAsync());

  /** What EVM runs. */
  const running = async () => {
    const { [foreign.domain]: _, ...qemus } = await footprint.qemus();
    return { qemus, containers: await footprint.containers() };
  };

  /** Types at an instance's console until the answer is so. */
  const answers = (instance: string, typed: string, answer: RegExp) =>
    eventually(`"${typed}" at ${instance} answers ${answer}`, async () =>
      answer.test(await evm.ok(["console", instance], `${typed}\n`)) ? true : undefined,
    );

  const twoFleets = (word = "hello") => [
    vms({ name: linux }),
    containers({ name: web, replicas: 2 }, word),
  ];

  test("plan shows what would be made, and makes nothing", async () => {
    const plan = await evm.ok(["plan", "-f", "-"], documents(...twoFleets()));
    expect(plan).toContain(`+ create ${linux}-0000 on ${footprint.name}`);
    expect(plan).toContain("3 to create.");
    expect(JSON.parse(await evm.ok(["fleets", "--json"]))).toMatchObject({ fleets: [] });
    expect(await running()).toEqual({ qemus: {}, containers: [] });
  });

  test("a bad file is refused with all of its problems, and changes nothing", async () => {
    const file = join(footprint.folder, "bad.yaml");
    const good = join(footprint.folder, "good.yaml");
    await writeFile(file, BAD_FILE);
    await writeFile(good, documents(...twoFleets()));
    const { code, err } = await evm.run(["apply", "-f", good, "-f", file]);
    expect(code).toBe(2);
    expect(err).toContain("nothing was changed");
    const places = err.split("\n").flatMap((line) => /bad\.yaml:(\d+)/.exec(line)?.[1] ?? []);
    expect(places).toEqual(["1", "2", "5", "7", "9"]);
    expect(JSON.parse(await evm.ok(["fleets", "--json"]))).toMatchObject({ fleets: [] });
  });

  test("apply makes it so, and applied again finds nothing to do", async () => {
    await evm.apply(...twoFleets());
    const before = await running();
    expect(Object.keys(before.qemus)).toEqual([`${linux}-0000.1`]);
    expect(before.containers.map(({ instance }) => instance)).toEqual([
      `${web}-0000`,
      `${web}-0001`,
    ]);
    expect(await evm.apply(...twoFleets())).toMatch(/unchanged[\s\S]*unchanged/);
    expect(await running()).toEqual(before);
  });

  test("logs shows what was written, and with -f what is being written", async () => {
    expect(await evm.ok(["logs", `${linux}-0000`])).toContain(`EVM-GUEST-UP ${linux}-0000`);
    expect(await evm.ok(["logs", `${web}-0000`])).toContain("started with hello");
    await using following = new Program({
      command: process.execPath,
      arguments: [EVM, "--server", evm.server, "logs", "-f", "--tail", "1", `${web}-0000`],
    });
    const [, count] = await following.said(/^count (\d+)/);
    await following.said(new RegExp(`^count ${Number(count) + 2}$`));
    expect(await following.end("SIGINT")).toBe(130);
  });

  test("events tell what happened, and with -w what happens", async () => {
    const told = await evm.ok(["events", "--instance", `${linux}-0000`]);
    expect(told).toMatch(/InstancePlaced[\s\S]*InstanceReady/);
    await using watching = new Program({
      command: process.execPath,
      arguments: [EVM, "--server", evm.server, "events", "-w", "--fleet", web],
    });
    await watching.said(/InstanceReady +\S+-web-0001/);
    await evm.scale(web, 3);
    await watching.said(/InstanceReady +\S+-web-0002/);
  });

  test("scale changes how many there are, and leaves the others alone", async () => {
    const three = (await running()).containers;
    expect(three).toHaveLength(3);
    await evm.scale(web, 2);
    expect((await running()).containers).toEqual(three.slice(0, 2));
  });

  test("stop and start keep an instance's disk, and restart makes it afresh", async () => {
    const [vm, container] = [`${linux}-0000`, `${web}-0000`];
    const { id } = await footprint.container(container);
    await answers(vm, "echo kept >/data/note; sync; echo has $(cat /data/note)", /^has kept/m);
    await dockerTool("exec", id, "sh", "-c", "echo kept >/note");

    await Promise.all([evm.operate("stop", vm), evm.operate("stop", container)]);
    expect((await virsh("domstate", `${vm}.1`)).trim()).toBe("shut off");
    expect(await footprint.container(container)).toMatchObject({ id, isRunning: false });

    await Promise.all([evm.operate("start", vm), evm.operate("start", container)]);
    await answers(vm, "echo has $(cat /data/note)", /^has kept/m);
    expect(await dockerTool("exec", id, "cat", "/note")).toBe("kept\n");

    await Promise.all([evm.operate("restart", vm), evm.operate("restart", container)]);
    await answers(vm, "echo has $(ls /data | grep -c note) notes", /^has 0 notes/m);
    const fresh = await footprint.container(container);
    expect(fresh.id).not.toBe(id);
    await expect(dockerTool("exec", fresh.id, "cat", "/note")).rejects.toThrow("No such file");
    expect(Object.keys((await running()).qemus)).toEqual([`${vm}.2`]);
    expect((await running()).containers).toHaveLength(2);
  });

  test("explain says why an instance waits, and what would make it fit", async () => {
    const name = footprint.fleet("big");
    const big = { ...containers({ name }), resources: { memoryMib: 1_000_000 } };
    await evm.ok(["apply", "-f", "-"], documents(big));
    const explained = await evm.ok(["explain", `${name}-0000`]);
    expect(explained).toMatch(/memory: turns away 1 host: needs 1000000 MiB .* most that is free/);
    expect(await evm.ok(["status"])).toContain(`${name}-0000 waits`);
    await evm.delete(name);
  });

  test("a host that is drained gets nothing new, and says so until it is taken back", async () => {
    const before = await running();
    await evm.ok(["drain", footprint.name]);
    await evm.ok(["scale", web, "3"]);
    const waits = await evm.ok(["explain", `${web}-0002`]);
    expect(waits).toContain(`${footprint.name} is draining`);
    const runsOn = await evm.ok(["explain", `${linux}-0000`]);
    expect(runsOn).toMatch(/runs on, as there is no room to move it[\s\S]* is draining/);
    expect(await running()).toEqual(before);

    await evm.ok(["undrain", footprint.name]);
    await evm.scale(web, 3);
    expect((await running()).containers).toHaveLength(3);
    await evm.scale(web, 2);
  });

  test("a changed template replaces the instances of its fleet, and no others", async () => {
    const before = await running();
    const plan = await evm.ok(["plan", "-f", "-"], documents(...twoFleets("goodbye")));
    expect(plan).not.toContain(linux);
    await evm.apply(...twoFleets("goodbye"));
    const after = await running();
    expect(after.qemus).toEqual(before.qemus);
    expect(after.containers).toHaveLength(2);
    const ids = new Set(before.containers.map(({ id }) => id));
    for (const { id } of after.containers) {
      expect(ids).not.toContain(id);
      expect(await dockerTool("logs", id)).toContain("started with goodbye");
    }
  });

  test("coordinator and agent serve metrics and their health", async () => {
    const get = async (url: string) => {
      const response = await fetch(url);
      return { status: response.status, body: await response.text() };
    };
    const [coordinator, agent] = dev.telemetry;
    for (const part of [coordinator, agent]) {
      expect(await get(`${part}/healthz`)).toEqual({ status: 200, body: "ok\n" });
    }
    const { body } = await get(`${coordinator}/metrics`);
    expect(body).toMatch(/^evm_coordinator_is_leader(\{.*\})? 1$/m);
    expect(body).toMatch(/^evm_reconcile_duration_seconds_count(\{.*\})? [1-9]/m);
    await eventually("the agent counts what is ready", async () => {
      const own = (await get(`${agent}/metrics`)).body;
      expect(own).toMatch(/^evm_driver_call_duration_seconds_count\{.*\} [1-9]/m);
      return /^evm_instances\{.*phase="ready".*\} 2$/m.test(own) ? true : undefined;
    });
  });

  test("any gRPC client learns the API by reflection, asks for health, and calls it", async () => {
    using client = new AnyGrpcClient(evm.server);
    const services = await client.services();
    expect(services).toEqual(
      expect.arrayContaining([
        ...["ClusterService", "EventService", "FleetService", "HostService", "ImageService"].map(
          (name) => `evm.v1.${name}`,
        ),
        "evm.v1.InstanceService",
        "grpc.health.v1.Health",
      ]),
    );
    // {status: SERVING}, as bytes.
    const health = await client.raw("/grpc.health.v1.Health/Check", Buffer.alloc(0));
    expect([...health]).toEqual([8, 1]);
    const status = await client.call("evm.v1.ClusterService", "GetClusterStatus");
    expect(status).toMatchObject({ leader: "dev", hostsUp: 1, fleets: 2 });
  });

  test("delete removes instances with their disks, and nothing that is not EVM's", async () => {
    const pool = join(dev.folder, "pool");
    expect(await readdir(join(pool, "overlays"))).toEqual([`${linux}-0000.2`]);
    await evm.delete(linux, web);
    expect(await readdir(join(pool, "overlays"))).toEqual([]);
    expect(await readdir(join(pool, "partial"))).toEqual([]);
    expect(await footprint.domains()).toEqual([foreign.domain]);
    expect(await footprint.containers()).toEqual([]);
  });

  test("at its end evm dev removes what it runs, and leaves what is foreign alone", async () => {
    await evm.apply(...twoFleets());
    expect(await dev.program.end("SIGINT"), dev.program.output).toBe(0);
    expect(await footprint.domains()).toEqual([foreign.domain]);
    expect(await footprint.containers()).toEqual([]);
    expect(await readdir(footprint.folder)).not.toContainEqual(expect.stringMatching(/^evm-dev/));

    expect((await virsh("domstate", foreign.domain)).trim()).toBe("paused");
    const format = "{{.State.Running}} {{.RestartCount}}";
    const state = await dockerTool("inspect", "--format", format, foreign.container);
    expect(state).toBe("true 0\n");
  });
});

/** A domain and a container that are not EVM's, though the container is another EVM's. */
async function startForeign(footprint: Footprint, resources: AsyncDisposableStack) {
  const name = footprint.fleet("foreign");
  const file = join(footprint.folder, "foreign.xml");
  await writeFile(
    file,
    `<domain type='qemu'><name>${name}</name><memory unit='MiB'>16</memory>
     <os><type arch='x86_64'>hvm</type></os></domain>`,
  );
  await virsh("define", file);
  await virsh("start", name, "--paused");
  const container = await dockerTool(
    ...["run", "--detach", "--name", name, "--label", "evm.owner=somebody-else"],
    ...["--label", `evm.instance=${name}-0000`, "evm/busybox:1", "sleep", "100000"],
  );
  resources.defer(async () => {
    await dockerTool("rm", "--force", name);
  });
  return { domain: name, container: container.trim() };
}
