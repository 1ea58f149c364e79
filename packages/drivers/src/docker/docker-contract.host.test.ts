import type { ContainerTemplate, HealthCheck } from "@evm/fleet";
import { runtimeName } from "@evm/fleet";
import { systemClock } from "../clock.testing.ts";
import { type ContractProgram, type ContractWorld, driverContract } from "../contract.ts";
import type { InstanceRef } from "../driver.ts";
import { BUSYBOX_IMAGE, TestDaemon } from "./daemon.testing.ts";
import { createDockerDriver } from "./docker-driver.ts";

const COMMANDS: { readonly [program in ContractProgram]: string } = {
  runs: "echo one; echo hello; exec sleep 10000",
  stubborn: "trap '' TERM; echo hello; while :; do sleep 1; done",
  ends: "echo hello",
  readies: "exec sleep 10000",
  "never-readies": "exec sleep 10000",
  invalid: "",
};

const CHECKS: { readonly [program in ContractProgram]?: HealthCheck } = {
  readies: check("test -f /shown", 10_000),
  "never-readies": check("echo not yet; exit 1", 1),
};

driverContract("the Docker driver", async () => new DockerWorld(await TestDaemon.start()));

class DockerWorld implements ContractWorld {
  readonly output = "hello";
  readonly console = { input: "echo $((40 + 2))\n", shows: "42" };
  readonly startMs = 1500;
  readonly patienceMs = 30_000;
  readonly #daemon: TestDaemon;

  constructor(daemon: TestDaemon) {
    this.#daemon = daemon;
  }

  connect() {
    return createDockerDriver({
      owner: "test",
      socketPath: this.#daemon.socketPath,
      getContext: async () => undefined,
      clock: systemClock,
      random: Math.random,
    });
  }

  template(program: ContractProgram) {
    const template: ContainerTemplate = {
      kind: "container",
      resources: { vcpuMillis: 500, memoryMib: 32, diskMib: 0 },
      source: { kind: "image", reference: program === "invalid" ? "UPPER/case" : BUSYBOX_IMAGE },
      command: ["sh", "-c", COMMANDS[program]],
      environment: {},
      ports: [],
      healthCheck: CHECKS[program],
    };
    return { template, image: undefined };
  }

  async crash(ref: InstanceRef): Promise<void> {
    await this.#daemon.cli("kill", runtimeName(ref.name, ref.incarnation));
  }

  async showReadiness(ref: InstanceRef): Promise<void> {
    await this.#daemon.cli("exec", runtimeName(ref.name, ref.incarnation), "touch", "/shown");
  }

  async createForeign(name: string): Promise<void> {
    await this.#daemon.cli("run", "--detach", "--name", name, BUSYBOX_IMAGE, "sleep", "10000");
  }

  async isForeignIntact(name: string): Promise<boolean> {
    const format = "{{.State.Running}} {{.RestartCount}}";
    return (await this.#daemon.cli("inspect", "--format", format, name)) === "true 0";
  }

  [Symbol.asyncDispose]() {
    return this.#daemon[Symbol.asyncDispose]();
  }
}

function check(script: string, retries: number): HealthCheck {
  const command = ["sh", "-c", script];
  return { command, intervalMs: 100, timeoutMs: 10_000, retries, startPeriodMs: 0 };
}
