// A libvirtd of one's own, for tests against the real thing: its state lies in a temporary folder,
// and it lives in namespaces of its own, so that it meets neither the machine's daemon nor its
// networks, and goes with everything it started when the test ends. Needs root.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe } from "vitest";

// A cold start probes QEMU's capabilities first.
const START_TIMEOUT_MS = 60_000;
const START_POLL_MS = 20;

const LIBVIRTD_CONF = `
auth_unix_rw = "none"
unix_sock_rw_perms = "0700"
log_outputs = "2:stderr"
`;

// Guests run as root, without a log daemon, control groups or labels: tests have no use for them.
const QEMU_CONF = `
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
stdio_handler = "file"
cgroup_controllers = []
namespaces = []
`;

// tini is PID 1: it reaps the processes that libvirtd orphans, or destroying a guest takes seconds.
const UNSHARE = "--mount --pid --net --ipc --fork --mount-proc --kill-child tini --".split(" ");

// Runs as PID 1's child in the new namespaces. /dev gets no kvm: where it is there but does not
// work, libvirtd probes QEMU anew at each call.
const START = `
set -e
for part in etc lib cache log; do mkdir -p "$STATE/$part"; done
mount --make-rprivate /
mkdir -p /var/lib/libvirt /var/cache/libvirt /var/log/libvirt
mkdir -p "$STATE/run/lock"
mount --bind "$STATE/run" /run
mount --bind "$STATE/etc" /etc/libvirt
mount --bind "$STATE/lib" /var/lib/libvirt
mount --bind "$STATE/cache" /var/cache/libvirt
mount --bind "$STATE/log" /var/log/libvirt
mount -t tmpfs -o mode=755 dev "$STATE/dev"
for device in null zero full random urandom tty; do cp -a "/dev/$device" "$STATE/dev/"; done
mkdir "$STATE/dev/pts" "$STATE/dev/shm"
ln -s pts/ptmx "$STATE/dev/ptmx"
ln -s /proc/self/fd "$STATE/dev/fd"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$STATE/dev/pts"
mount -t tmpfs shm "$STATE/dev/shm"
mount --move "$STATE/dev" /dev
# As a service manager would: after an end, or a signal, it is started again.
while libvirtd --config "$STATE/etc/libvirtd.conf" || [ $? -gt 128 ]; do :; done
`;

const PROGRAMS = ["setpriv", "unshare", "tini", "libvirtd", "qemu-system-x86_64"];

/** A suite that needs a daemon. Where there can be none it is skipped, and its name says why. */
export function describeWithLibvirtd(name: string, body: () => void): void {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"];
  const missing = PROGRAMS.filter(
    (program) => !folders.some((folder) => existsSync(join(folder, program))),
  );
  if (process.getuid?.() !== 0) missing.push("the rights of root");
  if (missing.length === 0) describe(name, body);
  else describe.skip(`${name} (cannot run here: missing ${missing.join(", ")})`, body);
}

/** A running private daemon. Dispose of it to end it and all its guests. */
export interface PrivateLibvirtd extends AsyncDisposable {
  readonly socketPath: string;
  /** A folder that the daemon sees under the same name. */
  readonly folder: string;
  /** Ends the daemon alone, as a crash would; resolves once the next one accepts connections. */
  crash(): Promise<void>;
  /** Ends the daemon and its guests at once, as a power cut would. */
  kill(): Promise<void>;
}

/** Starts a daemon; `conf` is added to its libvirtd.conf. */
export async function startLibvirtd(conf = ""): Promise<PrivateLibvirtd> {
  const folder = await mkdtemp(join(tmpdir(), "libvirtd-"));
  for (const part of ["run", "etc", "dev"]) await mkdir(join(folder, part));
  await writeFile(join(folder, "etc/libvirtd.conf"), LIBVIRTD_CONF + conf);
  await writeFile(join(folder, "etc/qemu.conf"), QEMU_CONF);
  // Should the test's process be killed, the daemon goes with it: it gets a signal at the parent's
  // death, and passes it on to everything in its process namespace.
  const child = spawn(
    "setpriv",
    ["--pdeathsig", "KILL", "unshare", ...UNSHARE, "sh", "-c", START],
    {
      env: { ...process.env, STATE: folder },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints += text;
  });
  const ended = once(child, "exit");
  const kill = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  const socketPath = join(folder, "run/libvirt/libvirt-sock");
  const crash = async () => {
    const pid = await daemonOf(child);
    if (pid === undefined) throw new Error("libvirtd does not run");
    process.kill(pid, "SIGKILL");
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const next = await daemonOf(child);
      if (next !== undefined && next !== pid) break;
      if (performance.now() > deadline) throw new Error(`starting libvirtd again: ${complaints}`);
      await delay(START_POLL_MS);
    }
    await untilAccepting(socketPath, child);
  };
  const dispose = async () => {
    await kill();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await untilAccepting(socketPath, child);
  } catch (error) {
    await dispose();
    throw new Error(`starting libvirtd: ${complaints}`, { cause: error });
  }
  return { socketPath, folder, crash, kill, [Symbol.asyncDispose]: dispose };
}

/** libvirtd's own process. `child` is unshare; below it is tini, below that first the shell. */
async function daemonOf(child: ChildProcess): Promise<number | undefined> {
  let pid = child.pid;
  for (let depth = 0; depth < 3 && pid !== undefined; depth += 1) {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
    const [first = ""] = children.split(" ");
    pid = first === "" ? undefined : Number(first);
  }
  return pid;
}

async function untilAccepting(socketPath: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    const socket = createConnection({ path: socketPath });
    try {
      await once(socket, "connect");
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    } finally {
      socket.destroy();
    }
    await delay(START_POLL_MS);
  }
}
