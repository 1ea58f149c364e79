/** A Docker daemon of a test's own: its own data, socket and network, gone afterwards. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { pack } from "tar-stream";

const run = promisify(execFile);

/** The image that every daemon of a test has: busybox alone. */
export const BUSYBOX_IMAGE = "evm/busybox:1";
const APPLETS = ["sh", "sleep", "echo", "cat", "head", "tr", "touch", "test", "false", "httpd"];

export class TestDaemon implements AsyncDisposable {
  readonly #directory: string;
  /** Interface names end at 15 characters, process ids at 7 digits. */
  readonly #bridge = `evmt${process.pid}`;
  #process: ChildProcess | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  static async start(): Promise<TestDaemon> {
    const daemon = new TestDaemon(await mkdtemp(join(tmpdir(), "evm-docker-")));
    try {
      await daemon.#createBridge();
      await daemon.resume();
      await daemon.#importBusybox();
      return daemon;
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
  }

  get socketPath(): string {
    return join(this.#directory, "docker.sock");
  }

  /** Docker's own command line: the eyes that are not ours. */
  async cli(...words: readonly string[]): Promise<string> {
    const { stdout } = await run("docker", ["--host", `unix://${this.socketPath}`, ...words]);
    return stdout.trim();
  }

  async resume(): Promise<void> {
    // tini adopts and reaps what the daemon leaves: a machine's PID 1 may be slow at it.
    const child = spawn("tini", ["-s", "--", "dockerd", ...this.#options()], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = child;
    const lines: string[] = [];
    await new Promise<void>((resolve, reject) => {
      createInterface(child.stderr).on("line", (line) => {
        lines.push(line);
        if (line.includes("API listen on")) resolve();
      });
      child.once("exit", () => reject(new Error(`dockerd ended:\n${lines.slice(-20).join("\n")}`)));
    });
  }

  /** Removes all by force: a daemon that ends would give each of them ten seconds. */
  async removeContainers(): Promise<void> {
    const containers = await this.cli("ps", "--all", "--quiet");
    if (containers !== "") await this.cli("rm", "--force", ...containers.split("\n"));
  }

  /** Ends the daemon, and with it its containers. */
  async halt(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  }

  /** Keeps Docker from starting and ending anything; returns what lets it go on. */
  async freezeContainerd(): Promise<() => void> {
    const pidFile = join(this.#directory, "exec-root/containerd/containerd.pid");
    const pid = Number(await readFile(pidFile, "utf8"));
    process.kill(pid, "SIGSTOP");
    return () => process.kill(pid, "SIGCONT");
  }

  /** Keeps Docker from writing down what becomes of a container; returns what lets it again. */
  async keepFromWriting(name: string): Promise<() => Promise<void>> {
    const id = await this.cli("inspect", "--format", "{{.Id}}", name);
    const directory = join(this.#directory, "data-root", "containers", id);
    // Docker opens it by its path with every write. Permissions keep nobody who is root from it.
    await rename(directory, `${directory}.away`);
    return () => rename(`${directory}.away`, directory);
  }

  /** Kills the daemon, which comes back without the memory that this container runs. */
  async forget(name: string): Promise<void> {
    const id = await this.cli("inspect", "--format", "{{.Id}}", name);
    const file = join(this.#directory, "data-root", "containers", id, "config.v2.json");
    const ended = this.#process && once(this.#process, "exit");
    process.kill(Number(await readFile(join(this.#directory, "pid"), "utf8")), "SIGKILL");
    await ended;
    // Its containerd dies with it. Who is not reaped at once would be taken for alive.
    for (const pidFile of ["pid", "exec-root/containerd/containerd.pid"]) {
      await rm(join(this.#directory, pidFile));
    }
    const config = JSON.parse(await readFile(file, "utf8"));
    Object.assign(config.State, { Running: false, Pid: 0, StartedAt: "0001-01-01T00:00:00Z" });
    await writeFile(file, JSON.stringify(config));
    await this.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process?.exitCode === null) await this.removeContainers();
    await this.halt();
    await run("ip", ["link", "delete", this.#bridge]);
    // A daemon that was killed leaves what watches over containers, and what it mounted.
    for (const pid of (await readdir("/proc")).map(Number).filter(Number.isInteger)) {
      const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      if (command.includes(`\0${this.#directory}/exec-root/`)) process.kill(pid, "SIGKILL");
    }
    const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n");
    const left = mounts.flatMap((line) => line.split(" ")[1] ?? []);
    for (const path of left.filter((one) => one.startsWith(`${this.#directory}/`)).reverse()) {
      await run("umount", [path]);
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #createBridge(): Promise<void> {
    const subnet = process.pid % 250;
    await run("ip", ["link", "add", this.#bridge, "type", "bridge"]);
    await run("ip", ["address", "add", `10.213.${subnet}.1/24`, "dev", this.#bridge]);
    await run("ip", ["link", "set", this.#bridge, "up"]);
  }

  #options(): readonly string[] {
    const own = ["data-root", "exec-root"].flatMap((name) => [
      `--${name}`,
      join(this.#directory, name),
    ]);
    const files = [
      "--pidfile",
      join(this.#directory, "pid"),
      "--host",
      `unix://${this.socketPath}`,
    ];
    // The machine's firewall stays as it is; published ports work by Docker's proxy.
    const network = ["--bridge", this.#bridge, "--iptables=false", "--ip-forward=false"];
    // A pull that is cut is an error at once, not after five attempts and a minute.
    return [...own, ...files, ...network, "--max-download-attempts", "1"];
  }

  async #importBusybox(): Promise<void> {
    const importing = spawn("docker", [
      ...["--host", `unix://${this.socketPath}`, "import"],
      ...["--change", 'CMD ["/bin/sh"]', "-", BUSYBOX_IMAGE],
    ]);
    importing.stdin.end(await busyboxTar());
    const [code] = await once(importing, "exit");
    if (code !== 0) throw new Error(`docker import ended with ${code}`);
  }
}

/** A root file system with nothing but this machine's static busybox. */
async function busyboxTar(): Promise<Buffer> {
  const archive = pack();
  archive.entry({ name: "bin/busybox", mode: 0o755 }, await readFile("/bin/busybox"));
  for (const name of APPLETS) {
    archive.entry({ name: `bin/${name}`, type: "symlink", linkname: "busybox" });
  }
  archive.finalize();
  return buffer(archive);
}
