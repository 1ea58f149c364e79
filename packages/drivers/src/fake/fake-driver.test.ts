import {
  type Clock,
  type ContainerTemplate,
  type Digest,
  type FleetName,
  type HealthCheck,
  type ImageName,
  instanceName,
  runtimeName,
  type Template,
  type TemplateKind,
  type VmTemplate,
} from "@evm/fleet";
import { expect, test, vi } from "vitest";
import { systemClock } from "../clock.testing.ts";
import { type ContractProgram, type ContractWorld, driverContract } from "../contract.ts";
import type { InstanceSpec } from "../driver.ts";
import { createFakeDriver } from "./fake-driver.ts";
import type { FakeProgram } from "./fake-instance.ts";
import { FakeRuntime } from "./fake-runtime.ts";

const RESOURCES = { vcpuMillis: 1000, memoryMib: 64, diskMib: 64 };
const CHECK: HealthCheck = {
  command: ["true"],
  intervalMs: 100_000,
  timeoutMs: 1000,
  retries: 1,
  startPeriodMs: 0,
};
const OVERDUE_CHECK: HealthCheck = { ...CHECK, intervalMs: 1, timeoutMs: 1 };

const PROGRAMS: { readonly [program in ContractProgram]: Partial<FakeProgram> } = {
  runs: { output: "one\nhello\n" },
  stubborn: { output: "one\nhello\n", isStubborn: true },
  ends: { output: "hello\n", endsAfterMs: 1 },
  readies: { readyAfterMs: undefined },
  "never-readies": { readyAfterMs: undefined },
  invalid: {},
};

class FakeWorld implements ContractWorld {
  readonly #kind: TemplateKind;
  /** What each template does: the fake has no guest that could tell. */
  readonly #programs = new Map<Template, ContractProgram>();
  readonly #runtime = new FakeRuntime({
    clock: systemClock,
    random: () => 0,
    program: ({ template }) => PROGRAMS[this.#programs.get(template) ?? "runs"],
  });
  readonly output = "hello";
  readonly console = { input: "typed\n", shows: "typed" };
  readonly startMs = 80;
  readonly patienceMs = 5000;

  constructor(kind: TemplateKind) {
    this.#kind = kind;
    this.#runtime.setDelay("start", this.startMs / 2);
  }

  connect = () => createFakeDriver({ kind: this.#kind, runtime: this.#runtime });

  template(program: ContractProgram) {
    const check =
      program === "readies" ? CHECK : program === "never-readies" ? OVERDUE_CHECK : undefined;
    const template =
      (program === "invalid") === (this.#kind === "vm") ? container(check) : vm(check);
    this.#programs.set(template, program);
    return { template, image: undefined };
  }

  crash = async (ref: InstanceSpec) => this.#runtime.crash(ref);
  showReadiness = async (ref: InstanceSpec) => this.#runtime.setReady(ref, true);
  createForeign = async (name: string) => this.#runtime.createForeign(name);
  isForeignIntact = async (name: string) => this.#runtime.hasForeign(name);
  async [Symbol.asyncDispose]() {}
}

driverContract("the fake driver of containers", async () => new FakeWorld("container"));
driverContract("the fake driver of VMs", async () => new FakeWorld("vm"));

test("a delayed verb takes its time by the clock, and can be cancelled", async () => {
  const { clock, runtime, driver, signal } = bench();
  runtime.setDelay("list", 1000);
  const listed = driver.list(signal);
  clock.advance(1000);
  expect(await listed).toEqual([]);

  const cut = new AbortController();
  const cancelled = driver.list(cut.signal);
  cut.abort();
  await expect(cancelled).rejects.toMatchObject({ code: "cancelled" });
});

test("a fault before the effect changes nothing; one after it loses only the answer", async () => {
  const { runtime, driver, spec, signal, onProgress } = bench();
  runtime.failNext("prepare", { code: "exhausted", isAfterEffect: false });
  runtime.failNext("prepare", { code: "unavailable", isAfterEffect: true });
  const prepare = () => driver.prepare(spec, { signal, onProgress });
  await expect(prepare()).rejects.toMatchObject({ code: "exhausted" });
  expect(runtime.instances()).toEqual([]);
  await expect(prepare()).rejects.toMatchObject({ code: "unavailable" });
  expect(runtime.instances()).toMatchObject([{ state: "created" }]);
  await prepare();
});

test("a verb fails with the probability that was set, by the given chance", async () => {
  const { runtime, driver, signal, chances } = bench();
  runtime.failSometimes("list", { code: "unavailable", isAfterEffect: false }, 0.5);
  chances.push(0.49, 0.5);
  await expect(driver.list(signal)).rejects.toMatchObject({ code: "unavailable" });
  await driver.list(signal);
});

test("a program ends by itself after its time, with its exit code", async () => {
  const { clock, runtime, driver, spec, signal, onProgress } = bench({
    endsAfterMs: 500,
    exitCode: 3,
  });
  await driver.prepare(spec, { signal, onProgress });
  await driver.start(spec, signal);
  clock.advance(499);
  await vi.waitFor(() => expect(runtime.instances()).toMatchObject([{ state: "ready" }]));
  clock.advance(1);
  await vi.waitFor(() => {
    const expected = { state: "exited", exit: "failure", reason: "exit code 3" };
    expect(runtime.instances()).toMatchObject([expected]);
  });
});

test("a forgotten incarnation is gone without a trace", async () => {
  const { runtime, driver, spec, signal, onProgress } = bench();
  await driver.prepare(spec, { signal, onProgress });
  runtime.forget(spec);
  expect(await driver.list(signal)).toEqual([]);
  await expect(driver.start(spec, signal)).rejects.toThrow(runtimeName(spec.name, 1));
});

/** A clock that stands still until it is told to advance. */
class ManualClock implements Clock {
  #now = 0;
  readonly #sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();

  now = () => this.#now;
  monotonicMs = () => this.#now;

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { at: this.#now + ms, wake: resolve };
    this.#sleepers.add(sleeper);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    return promise;
  }

  after(ms: number, act: () => void): () => void {
    const sleeper = { at: this.#now + ms, wake: act };
    this.#sleepers.add(sleeper);
    return () => this.#sleepers.delete(sleeper);
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const { at, wake } of this.#sleepers) if (at <= this.#now) wake();
  }
}

function bench(program: Partial<FakeProgram> = {}) {
  const clock = new ManualClock();
  const chances: number[] = [];
  const random = () => chances.shift() ?? 1;
  const runtime = new FakeRuntime({ clock, random, program: () => program });
  const driver = createFakeDriver({ kind: "container", runtime });
  const fleet = "web" as FleetName;
  const spec: InstanceSpec = {
    name: instanceName(fleet, 0),
    incarnation: 1,
    fleet,
    index: 0,
    templateDigest: `sha256:${"0".repeat(64)}` as Digest,
    template: container(undefined),
    image: undefined,
  };
  const signal = new AbortController().signal;
  return { clock, runtime, driver, spec, signal, chances, onProgress: () => {} };
}

function container(healthCheck: HealthCheck | undefined): ContainerTemplate {
  return {
    kind: "container",
    resources: RESOURCES,
    source: { kind: "image", reference: "none" },
    command: [],
    environment: {},
    ports: [],
    healthCheck,
  };
}

function vm(check: HealthCheck | undefined): VmTemplate {
  const readiness =
    check === undefined ? undefined : { text: "ready", timeoutMs: check.intervalMs };
  const image = "none" as ImageName;
  return { kind: "vm", resources: RESOURCES, image, userData: undefined, readiness };
}
