/**
 * Where a world of machines lives: a network and a mount namespace of its own, with a bridge that
 * is the switch between them. Nothing of this machine's network is touched, and all of it, disks
 * included, goes when the process that made it ends, however that ends. What the kernel keeps all
 * the same (control groups, an empty folder) bears the mark of that process: whoever opens the next
 * room removes it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../eventually.ts";
import { run } from "../run.ts";

const MARK = "evm-world-";

/** Where machines have their addresses: for links alone, routed nowhere, seen by nobody else. */
export const NETWORK = "169.254.77";
/** Whoever is to reach all machines, as an operator would, sits at the switch. */
const SWITCH_ADDRESS = `${NETWORK}.254`;

const START_TIMEOUT_MS = 10_000;

const SETUP = `
ip link set lo up
ip link add switch type bridge
ip address add ${SWITCH_ADDRESS}/24 dev switch
ip link set switch up
`;

export class Room implements AsyncDisposable {
  /** For settings, logs and sockets: seen by this process and by all machines. */
  readonly folder: string;
  /** Names what belongs to this room outside of it. */
  readonly mark: string;
  readonly #holder: ChildProcess;

  private constructor(folder: string, mark: string, holder: ChildProcess) {
    this.folder = folder;
    this.mark = mark;
    this.#holder = holder;
  }

  static async open(): Promise<Room> {
    await removeLeftovers();
    const folder = await mkdtemp(join(tmpdir(), `${MARK}${process.pid}-`));
    await chmod(folder, 0o755);
    const holder = spawn(
      "setpriv",
      ["--pdeathsig", "KILL", "unshare", "--net", "--mount", "sleep", "infinity"],
      { stdio: "ignore" },
    );
    const room = new Room(folder, `${MARK}${process.pid}`, holder);
    try {
      await untilUnshared(room.pid);
      await room.run("sh", "-euc", SETUP);
      return room;
    } catch (error) {
      await room[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    const { pid } = this.#holder;
    if (pid === undefined) throw new Error("the room could not be made; are you root?");
    return pid;
  }

  /** What begins the command line of a program that shall run in here. */
  get entry(): readonly string[] {
    return ["nsenter", "--target", String(this.pid), "--net", "--mount"];
  }

  /** Runs a command at the switch. */
  async run(command: string, ...words: readonly string[]): Promise<string> {
    const [enter = "", ...options] = this.entry;
    return await run(enter, ...options, command, ...words);
  }

  /** A file of the room, as this process finds it. */
  path(inside: string): string {
    return join(`/proc/${this.pid}/root`, inside);
  }

  /** A disk of a limited size, empty. */
  async disk(name: string, sizeMib: number): Promise<string> {
    const path = join(this.folder, "disks", name);
    await mkdir(path, { recursive: true });
    await this.run("mount", "-t", "tmpfs", "-o", `size=${sizeMib}m,mode=755`, this.mark, path);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#holder.exitCode === null && this.#holder.signalCode === null) {
      const exited = once(this.#holder, "exit");
      this.#holder.kill("SIGKILL");
      await exited;
    }
    await removeControlGroups(this.mark);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The folder of control groups in which processes are counted: the only one from version 2 on. */
export const controlGroups = (): string => {
  const [first = "/sys/fs/cgroup"] = ["/sys/fs/cgroup/pids"].filter((path) => existsSync(path));
  return first;
};

async function untilUnshared(pid: number): Promise<void> {
  const own = await run("readlink", "/proc/self/ns/net");
  await eventually(
    "there are namespaces",
    async () => ((await run("readlink", `/proc/${pid}/ns/net`)) === own ? undefined : true),
    { patienceMs: START_TIMEOUT_MS, intervalMs: 10 },
  );
}

/** Of rooms whose process has been killed. */
async function removeLeftovers(): Promise<void> {
  const isDead = (name: string) => {
    const [, pid] = new RegExp(`^${MARK}(\\d+)`).exec(name) ?? [];
    return pid !== undefined && !existsSync(`/proc/${pid}`);
  };
  for (const name of (await readdir(tmpdir())).filter(isDead)) {
    await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
  for (const name of (await readdir(controlGroups())).filter(isDead)) {
    await removeControlGroups(name);
  }
}

/** In every hierarchy: version 1 has one for each resource. */
async function removeControlGroups(name: string): Promise<void> {
  const root = "/sys/fs/cgroup";
  const hierarchies = (await readdir(root)).map((hierarchy) => join(root, hierarchy, name));
  for (const path of [join(root, name), ...hierarchies]) {
    if (existsSync(path)) await removeGroup(path);
  }
}

async function removeGroup(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeGroup(join(path, entry.name));
  }
  // What was killed a moment ago is still on its way out.
  await eventually(`${path} is empty`, () => rmdir(path).then(() => true as const, ifBusy));
}

const ifBusy = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== "EBUSY") throw error;
};
