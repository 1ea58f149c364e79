import { readdir, readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { type ContainerTemplate, runtimeName } from "@evm/fleet";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { systemClock } from "../clock.testing.ts";
import type { Driver, InstanceSpec } from "../driver.ts";
import { TestDaemon } from "./daemon.testing.ts";
import { createDockerDriver } from "./docker-driver.ts";
import { containerSpec } from "./specs.testing.ts";

const signal = new AbortController().signal;
let daemon: TestDaemon;
let driver: Driver;
let nextIndex = 0;
beforeAll(async () => {
  daemon = await TestDaemon.start();
  driver = createDockerDriver({
    owner: "test",
    socketPath: daemon.socketPath,
    getContext: async () => undefined,
    clock: systemClock,
    random: () => 0,
  });
});
afterAll(() => daemon[Symbol.asyncDispose]());

test("a container has the limits and the safeguards that were ordered", async () => {
  const spec = await prepare({ environment: { GREETING: "hello there" } });
  const [container] = JSON.parse(await daemon.cli("inspect", nameOf(spec)));
  expect(container.HostConfig).toMatchObject({
    NanoCpus: 500_000_000,
    Memory: 32 * 1024 * 1024,
    MemorySwap: 32 * 1024 * 1024,
    PidsLimit: 4096,
    Init: true,
    Privileged: false,
    SecurityOpt: ["no-new-privileges"],
    RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
  });
  expect(container.Config).toMatchObject({ Hostname: "web-0000" });
  expect(container.Config.Env).toContain("GREETING=hello there");
});

test("a published port answers on the host, and a taken one is told as such", async () => {
  const command = ["sh", "-c", "echo served > /index.html; exec httpd -f -p 80 -h /"];
  const ports = [{ containerPort: 80, hostPort: undefined, protocol: "tcp" }] as const;
  const spec = await up({ command, ports });
  const [published = ""] = (await daemon.cli("port", nameOf(spec), "80/tcp")).split("\n");
  const port = Number(published.split(":").at(-1));
  await vi.waitFor(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    expect(await response.text()).toBe("served\n");
  });
  const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  const address = await daemon.cli("inspect", "--format", format, nameOf(spec));
  expect(await shown(spec)).toMatchObject({ address });

  const second = await prepare({ ports: [{ containerPort: 80, hostPort: port, protocol: "tcp" }] });
  await expect(driver.start(second, signal)).rejects.toMatchObject({ code: "exhausted" });
  expect(await shown(second)).toMatchObject({ state: "created" });
});

test("once the end of a container is told, the list shows it", async () => {
  const end = new AbortController();
  let told = Promise.withResolvers<void>();
  const watching = driver.watch(() => told.resolve(), end.signal);
  const spec = await up({});
  await daemon.cli("kill", nameOf(spec));
  // What is told after the last change of all is what shows it: nothing else looks again.
  do {
    await told.promise;
    told = Promise.withResolvers();
  } while ((await shown(spec))?.state !== "exited");
  end.abort();
  await watching;
});

test("an end that Docker cannot write down is seen, though its own list shows none", async () => {
  const end = new AbortController();
  const watching = driver.watch(() => {}, end.signal);
  const spec = await up({});
  expect(await shown(spec)).toMatchObject({ state: "ready" });
  const letWrite = await daemon.keepFromWriting(nameOf(spec));
  try {
    await daemon.cli("kill", nameOf(spec));
    await vi.waitFor(async () => expect(await shown(spec)).toMatchObject({ state: "exited" }));
    expect(await daemon.cli("ps", "--format", "{{.Names}}")).toContain(nameOf(spec));
  } finally {
    await letWrite();
  }
  await driver.start(spec, signal);
  expect(await shown(spec)).toMatchObject({ state: "ready" });
  end.abort();
  await watching;
});

test("the list waits long for none that Docker is at work on", async () => {
  const other = await up({});
  const spec = await prepare({});
  await driver.list(signal);
  const goOn = await daemon.freezeContainerd();
  try {
    const cut = new AbortController();
    const starting = driver.start(spec, cut.signal);
    await systemClock.sleep(300, signal);
    cut.abort();
    await expect(starting).rejects.toMatchObject({ code: "cancelled" });
    expect(await shown(spec)).toMatchObject({ state: "running", startedAt: undefined });
    expect(await shown(other)).toMatchObject({ state: "ready" });
  } finally {
    goOn();
  }
  await vi.waitFor(async () => expect(await shown(spec)).toMatchObject({ state: "ready" }));
});

test("a command that is not in the image ends at once, and says so", async () => {
  const spec = await up({ command: ["/no/such/program"] });
  await vi.waitFor(async () => {
    const reason = "exit code 127: no such command";
    expect(await shown(spec)).toMatchObject({ exit: "failure", reason });
  }, 10_000);
});

test("a container that runs out of memory says so, and others tell their exit code", async () => {
  const hungry = await up({
    command: ["sh", "-c", "x=$(head -c 100000000 /dev/zero | tr '\\0' x)"],
  });
  const failing = await up({ command: ["sh", "-c", "exit 3"] });
  await vi.waitFor(async () => {
    expect(await shown(failing)).toMatchObject({ exit: "failure", reason: "exit code 3" });
    expect(await shown(hungry)).toMatchObject({ exit: "failure", reason: expect.any(String) });
  }, 20_000);
  expect((await shown(hungry))?.reason).toMatch(/out of memory/);
});

test("standard error is in the log beside standard output", async () => {
  const spec = await up({ command: ["sh", "-c", "echo out; echo err >&2"] });
  await daemon.cli("wait", nameOf(spec));
  const options = { tailLines: undefined, isFollowing: false, signal };
  const log = (await buffer(driver.logs(spec, options))).toString();
  expect(log.split("\n").sort()).toEqual(["", "err", "out"]);
});

test("a console that is closed leaves no shell behind", async () => {
  const spec = await up({});
  const processes = async () => daemon.cli("top", nameOf(spec), "-o", "pid,args");
  const session = await driver.console(spec, signal);
  await session.write(Buffer.from("sleep 5000\n"));
  await vi.waitFor(async () => expect(await processes()).toContain("sleep 5000"), 10_000);
  await session[Symbol.asyncDispose]();
  await vi.waitFor(async () => {
    const left = await processes();
    expect(left).not.toContain("sleep 5000");
    expect(left).not.toContain("/bin/sh");
  }, 10_000);
});

test("a daemon that goes away is told as such, and a watch outlives it", async () => {
  const spec = await up({});
  const ending = new AbortController();
  const onChange = vi.fn();
  const watching = driver.watch(onChange, ending.signal);
  await vi.waitFor(() => expect(onChange).toHaveBeenCalled());
  await daemon.removeContainers();
  await daemon.halt();
  await expect(driver.list(signal)).rejects.toMatchObject({ code: "unavailable" });
  expect(await driver.probe(signal)).toMatchObject({
    isUsable: false,
    remedy: expect.stringContaining("Docker"),
  });

  onChange.mockClear();
  await daemon.resume();
  await vi.waitFor(() => expect(onChange).toHaveBeenCalled(), 20_000);
  expect(await shown(spec)).toBeUndefined();
  expect(await driver.probe(signal)).toMatchObject({ isUsable: true });
  ending.abort();
  await watching;
});

test("what a daemon denies is ended, and can be started again", async () => {
  const spec = await up({ command: ["sleep", "1000"] });
  await daemon.forget(nameOf(spec));
  expect(await shown(spec)).toMatchObject({ state: "created" });
  await expect(driver.start(spec, signal)).rejects.toThrow("id already in use");
  await vi.waitFor(() => driver.start(spec, signal), { timeout: 20_000, interval: 200 });
  expect(await shown(spec)).toMatchObject({ state: "ready" });
});

test("nothing that a daemon denies runs on where it is removed", async () => {
  const spec = await up({ command: ["sleep", "1001"] });
  await daemon.forget(nameOf(spec));
  expect(await commands()).toContain("sleep 1001");
  await driver.discard(spec, signal);
  expect(await shown(spec)).toBeUndefined();
  await vi.waitFor(async () => expect(await commands()).not.toContain("sleep 1001"));
});

/** Of every process of this machine. */
async function commands(): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry));
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""));
  return (await Promise.all(lines)).map((line) => line.split("\0").join(" ").trim());
}

async function prepare(template: Partial<ContainerTemplate>): Promise<InstanceSpec> {
  const spec = containerSpec(nextIndex++, template);
  await driver.prepare(spec, { signal, onProgress: () => {} });
  return spec;
}

async function up(template: Partial<ContainerTemplate>): Promise<InstanceSpec> {
  const spec = await prepare(template);
  await driver.start(spec, signal);
  return spec;
}

async function shown(spec: InstanceSpec) {
  return (await driver.list(signal)).find(({ name }) => name === spec.name);
}

const nameOf = (spec: InstanceSpec): string => runtimeName(spec.name, spec.incarnation);
