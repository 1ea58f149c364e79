/**
 * Shows EVM at work on this machine, through the built command line alone: a fleet of real VMs and
 * containers is declared, becomes ready, loses a VM behind EVM's back and gets it again. Leaves
 * nothing behind. With --once it ends by itself: 0 only if all of it happened.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const SCHOOL = "deploy/examples/school.yaml";
const VICTIM = "school-linux-0000";
/** Emulated VMs on a busy two-core machine; with KVM all of it takes seconds. */
const READY_TIMEOUT = "15m";
const HEALING_TIMEOUT_MS = 180_000;
const LOOK_INTERVAL_MS = 250;

type Instance = { readonly name: string; readonly phase: string; readonly restarts: number };

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { values } = parseArgs({ options: { once: { type: "boolean", default: false } } });
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => interrupted.abort());

async function main(): Promise<number> {
  title("Building the command line");
  run(process.execPath, ["scripts/build.ts"]);
  title("Starting EVM: a nats-server, a coordinator and an agent (evm dev --ephemeral)");
  const imagesBefore = builtImages();
  const dev = await startDev();
  let failure: unknown;
  try {
    await show(dev.server);
    if (!values.once) await untilCtrlC();
  } catch (error) {
    failure = error;
  }
  title("Cleaning up");
  const code = await dev.stop();
  const left = [
    ...leftovers(dev.host),
    ...builtImages().filter((id) => !imagesBefore.includes(id)),
  ];
  const hasFailed = failure !== undefined && !interrupted.signal.aborted;
  const failures = hasFailed ? [failure] : [];
  if (left.length > 0) failures.push(new Error(`left behind: ${left.join(", ")}`));
  if (code !== 0) failures.push(new Error(`evm dev ended with code ${code}`));
  if (failures.length === 0) {
    console.log("Nothing of EVM is left on this machine.");
    return 0;
  }
  for (const failed of failures) {
    console.error(`The demo failed: ${failed instanceof Error ? failed.message : String(failed)}`);
  }
  return 1;
}

async function show(server: string): Promise<void> {
  const evm = (...given: string[]) => run("dist/evm.mjs", ["--server", server, ...given]);
  title("The host that the agent made known");
  evm("hosts");
  title("An image for the VMs: a kernel and a small disk, by digest");
  const [disk, kernel, initrd] = ["disk.qcow2", "vmlinuz", "initrd.img"].map(guestFile);
  const cmdline = readFileSync(guestFile("cmdline"), "utf8").trim();
  const boot = ["--kernel", `${kernel}`, "--initrd", `${initrd}`, "--cmdline", cmdline];
  evm("images", "add", "micro", "--disk", `${disk}`, ...boot);
  title(`What ${SCHOOL} would do`);
  evm("plan", "-f", SCHOOL);
  title("Doing it, until every instance is ready");
  evm("apply", "-f", SCHOOL, "--wait", "--timeout", READY_TIMEOUT);
  evm("ps");
  title("The same, as libvirt and Docker see it");
  run("virsh", ["list"]);
  run("docker", ["ps", "--filter", "label=evm.owner", "--format", "table {{.Names}}\t{{.Status}}"]);
  title(`Killing ${VICTIM} behind EVM's back (virsh destroy)`);
  await healed(server);
  evm("ps");
  evm("events", "--instance", VICTIM, "-n", "5");
  console.log(`
Where to look next, with EVM_SERVER=${server}:
  dist/evm explain ${VICTIM}     why it is where it is
  dist/evm logs ${VICTIM}        its serial console
  dist/evm scale school-web 9          more of one fleet
  dist/evm events -w                   what happens, as it happens`);
}

/** Destroys the VM and waits until EVM has it ready again. */
async function healed(server: string): Promise<void> {
  const before = instance(server);
  run("virsh", ["destroy", `${VICTIM}.1`]);
  const start = performance.now();
  for (;;) {
    const { phase, restarts } = instance(server);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    if (restarts > before.restarts && phase === "PHASE_READY") {
      console.log(`${VICTIM} is ready again, ${seconds} s after it was killed.`);
      return;
    }
    if (performance.now() - start > HEALING_TIMEOUT_MS) {
      throw new Error(`${VICTIM} is ${phase} with ${restarts} restarts ${seconds} s after its end`);
    }
    await delay(LOOK_INTERVAL_MS, undefined, { signal: interrupted.signal });
  }
}

function instance(server: string): Instance {
  const given = ["--server", server, "ps", "school-linux", "--json"];
  const { instances }: { instances: Instance[] } = JSON.parse(output("dist/evm.mjs", given));
  const found = instances.find(({ name }) => name === VICTIM);
  if (found === undefined) throw new Error(`evm ps does not show ${VICTIM}`);
  return found;
}

async function startDev() {
  const given = ["dev", "--ephemeral", "--port", "0"];
  const child = spawn("dist/evm.mjs", given, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit").then(([code]: unknown[]) => Number(code ?? 1));
  const up = Promise.withResolvers<string>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [, server] = /API (\S+)/.exec(line) ?? [];
    if (server !== undefined) up.resolve(server);
    console.log(line);
  });
  const failed = ended.then((code) => {
    throw new Error(`evm dev ended with code ${code}`);
  });
  const server = await Promise.race([up.promise, failed]);
  failed.catch(() => undefined);
  const { hosts }: { hosts: { name: string }[] } = JSON.parse(
    output("dist/evm.mjs", ["--server", server, "hosts", "--json"]),
  );
  const stop = () => {
    // A terminal's Ctrl-C reaches it too, and a second one would cut its clean-up short.
    child.kill("SIGTERM");
    return ended;
  };
  return { server, host: hosts[0]?.name ?? "", stop };
}

/** What libvirt and Docker still have of this demo; asked of them, not of EVM. */
function leftovers(host: string): readonly string[] {
  const filter = `label=evm.owner=${host}`;
  const containers = output("docker", ["ps", "-a", "--filter", filter, "--format", "{{.Names}}"]);
  const domains = output("virsh", ["list", "--all", "--name"]);
  const ours = domains.split("\n").filter((name) => /^school-(linux|exam)-\d+\./.test(name));
  return [...containers.split("\n").filter((name) => name !== ""), ...ours];
}

/** Ids of the images that EVM has built on this machine, for whomever. */
const builtImages = (): readonly string[] =>
  output("docker", ["images", "--quiet", "evm-build"])
    .split("\n")
    .filter((id) => id !== "");

async function untilCtrlC(): Promise<void> {
  console.log("\nCtrl-C ends the demo and removes all of it.");
  const { promise, resolve } = Promise.withResolvers<void>();
  interrupted.signal.addEventListener("abort", () => resolve(), { once: true });
  // A promise alone does not keep the process alive, and `evm dev` may end first.
  const alive = setInterval(() => {}, 60_000);
  await promise;
  clearInterval(alive);
}

const guestFile = (name: string): string => `tools/guest/${name}`;

const title = (text: string): void => console.log(`\n── ${text}`);

/** Runs a command with its output shown; throws where it fails. */
function run(command: string, given: readonly string[]): void {
  interrupted.signal.throwIfAborted();
  const { status, error } = spawnSync(command, given, { stdio: ["ignore", "inherit", "inherit"] });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${given.join(" ")}: ended with code ${status}`);
}

const output = (command: string, given: readonly string[]): string =>
  execFileSync(command, given, { encoding: "utf8" });

process.exitCode = await main();
