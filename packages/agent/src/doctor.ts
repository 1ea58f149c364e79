/** What this machine lacks to run instances, why, and what helps. Changes nothing. */
import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, readFile, statfs } from "node:fs/promises";
import { promisify } from "node:util";
import { hasVirtualization } from "@evm/drivers";
import type { TemplateKind } from "@evm/fleet";
import { connectHost, type HostStore } from "@evm/store";
import { errorText } from "@evm/telemetry";
import { keptAgentId } from "./agent-id.ts";
import type { AgentConfig } from "./config.ts";
import { hostParts } from "./wiring.ts";

export type Finding = {
  readonly check: string;
  /** `warning`: it works, but not as well as it could. */
  readonly status: "ok" | "warning" | "no";
  readonly detail: string;
  readonly remedy: string | undefined;
};

/** No check takes longer: whatever hangs is as good as not there. */
const CHECK_TIMEOUT_MS = 10_000;

/** Looks at everything that the settings need. @param random from 0 up to 1 */
export async function examine(
  config: AgentConfig,
  random: () => number,
): Promise<readonly Finding[]> {
  const checks = [
    examineDrivers(config, random),
    ...config.pools.map(({ name, path }) => examineDirectory(`pool ${name}`, path)),
    ...(config.drivers.includes("vm") ? [examineKvm(), ...VM_TOOLS.map(examineTool)] : []),
    examineNats(config),
  ];
  return (await Promise.all(checks)).flat();
}

/** Lines for a person: what is well, what is not, and what helps. */
export function describeFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.map(({ check, status, detail, remedy }) => {
    const line = `${status.padEnd(7)}  ${check.padEnd(width)}  ${detail}`;
    return remedy === undefined ? line : `${line}\n${" ".repeat(width + 11)}→ ${remedy}`;
  });
  return `${lines.join("\n")}\n`;
}

const DRIVER_NAMES: Record<TemplateKind, string> = { vm: "libvirt", container: "docker" };

async function examineDrivers(
  config: AgentConfig,
  random: () => number,
): Promise<readonly Finding[]> {
  await using resources = new AsyncDisposableStack();
  const noContexts = { getBlob: async () => undefined };
  const findings: Finding[] = [];
  const { drivers } = hostParts({ config, store: noContexts, random, resources });
  for (const driver of drivers) {
    const check = `driver ${DRIVER_NAMES[driver.kind]}`;
    const probe = await driver.probe(AbortSignal.timeout(CHECK_TIMEOUT_MS));
    if (!probe.isUsable) {
      findings.push({ check, status: "no", detail: probe.reason, remedy: probe.remedy });
      continue;
    }
    findings.push({ check, status: "ok", detail: probe.detail, remedy: undefined });
    for (const detail of probe.warnings) {
      findings.push({ check, status: "warning", detail, remedy: undefined });
    }
  }
  return findings;
}

async function examineDirectory(check: string, path: string): Promise<Finding> {
  try {
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(path);
    const gib = ((bavail * bsize) / 2 ** 30).toFixed(1);
    return { check, status: "ok", detail: `${path}: ${gib} GiB free`, remedy: undefined };
  } catch (error) {
    const remedy = `make ${path} (or mount its disk) and let the agent write to it`;
    return { check, status: "no", detail: errorText(error), remedy };
  }
}

async function examineKvm(): Promise<Finding> {
  const check = "kvm";
  const emulated = "VMs are emulated, which is slow";
  if (!hasVirtualization(await readFile("/proc/cpuinfo", "utf8"))) {
    const detail = `the CPU has neither vmx nor svm: ${emulated}`;
    return { check, status: "warning", detail, remedy: "turn virtualization on in the firmware" };
  }
  try {
    await access("/dev/kvm", constants.R_OK | constants.W_OK);
    return { check, status: "ok", detail: "/dev/kvm", remedy: undefined };
  } catch (error) {
    const detail = `${errorText(error)}: ${emulated}`;
    return { check, status: "warning", detail, remedy: "modprobe kvm_intel or kvm_amd" };
  }
}

const VM_TOOLS = [
  { command: "qemu-img", use: "disks of VMs", package: "qemu-utils" },
  { command: "genisoimage", use: "cloud-init seeds", package: "genisoimage" },
] as const;

async function examineTool(tool: (typeof VM_TOOLS)[number]): Promise<Finding> {
  const check = `tool ${tool.command}`;
  try {
    const options = { timeout: CHECK_TIMEOUT_MS };
    const { stdout } = await promisify(execFile)(tool.command, ["--version"], options);
    const [version = ""] = stdout.split("\n");
    return { check, status: "ok", detail: version, remedy: undefined };
  } catch (error) {
    const detail = `needed for ${tool.use}: ${errorText(error)}`;
    return { check, status: "no", detail, remedy: `apt-get install ${tool.package}` };
  }
}

async function examineNats(config: AgentConfig): Promise<readonly Finding[]> {
  const check = "nats";
  try {
    await using store = await connectHost({
      servers: config.natsServers,
      user: config.natsUser,
      password: config.natsPassword,
      host: config.host,
      signal: AbortSignal.timeout(CHECK_TIMEOUT_MS),
      onError: () => undefined,
    });
    const detail = `${config.natsServers.join(", ")} answers ${store.host}`;
    return [{ check, status: "ok", detail, remedy: undefined }, await examineName(config, store)];
  } catch (error) {
    const remedy = "start nats-server, or set natsServers in the agent's settings";
    return [{ check, status: "no", detail: errorText(error), remedy }];
  }
}

/** Whether another machine is the host of this name. */
async function examineName(
  { host, stateDir }: AgentConfig,
  store: Pick<HostStore, "readOrders">,
): Promise<Finding> {
  const check = "host name";
  try {
    const orders = await store.readOrders(AbortSignal.timeout(CHECK_TIMEOUT_MS));
    const id = await keptAgentId(stateDir);
    const own = id === undefined ? "this agent was never started" : `this is agent ${id}`;
    if (orders?.agent === undefined || orders.agent === id) {
      return { check, status: "ok", detail: `${host}; ${own}`, remedy: undefined };
    }
    const detail = `orders of ${host} are for agent ${orders.agent}, ${own}`;
    const remedy =
      "give one of the two machines another name (host in the agent's settings); where the other " +
      "is gone for good, this one is taken in once it is lost";
    return { check, status: "no", detail, remedy };
  } catch (error) {
    const remedy = "start a coordinator, and run this as the agent's user";
    return { check, status: "warning", detail: errorText(error), remedy };
  }
}
