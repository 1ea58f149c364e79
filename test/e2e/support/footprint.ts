/** What a test leaves on this machine, seen with the tools of libvirt and Docker alone. */
import { chmod, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../support/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../support/temporary-directory.ts";

/** The machine's own libvirtd, or another. */
export type Libvirtd = { readonly uri: string; readonly runFolder: string };

const SYSTEM: Libvirtd = { uri: "qemu:///system", runFolder: "/run" };

export const virsh = (...words: readonly string[]): Promise<string> =>
  run("virsh", "--connect", SYSTEM.uri, ...words);

export const docker = (...words: readonly string[]): Promise<string> => run("docker", ...words);

/** One container; `startedAt` and `pid` change with every start. */
export type Container = {
  readonly id: string;
  readonly instance: string;
  readonly image: string;
  readonly isRunning: boolean;
  readonly startedAt: string;
  readonly pid: number;
};

/**
 * The names and the folder that one test file uses. Whatever of it is left at the end is removed,
 * without EVM's help.
 */
export class Footprint implements AsyncDisposable {
  /** The host's name, and so the owner of what runs; begins the names of fleets. */
  readonly name: string;
  readonly folder: string;
  readonly #directory: TemporaryDirectory;
  readonly #libvirtd: Libvirtd;
  readonly #images: string[] = [];

  private constructor(name: string, directory: TemporaryDirectory, libvirtd: Libvirtd) {
    this.name = name;
    this.folder = directory.path;
    this.#directory = directory;
    this.#libvirtd = libvirtd;
  }

  static async make(what: string, libvirtd = SYSTEM): Promise<Footprint> {
    const directory = await temporaryDirectory(`e2e-${what}`);
    // QEMU may run as another user, and reads pools below it.
    await chmod(directory.path, 0o755);
    return new Footprint(`e2e-${what}-${process.pid}`, directory, libvirtd);
  }

  /** A name for a fleet that no other test uses. */
  fleet(what: string): string {
    return `${this.name}-${what}`;
  }

  /** A new folder. */
  async subfolder(name: string): Promise<string> {
    const path = join(this.folder, name);
    await mkdir(path);
    return path;
  }

  /** An image that was made for the test: removed once no container needs it any more. */
  ownImage(reference: string): void {
    this.#images.push(reference);
  }

  virsh(...words: readonly string[]): Promise<string> {
    return run("virsh", "--connect", this.#libvirtd.uri, ...words);
  }

  /** Every domain of the test's, running or not. */
  domains(): Promise<readonly string[]> {
    return this.#domains("--all");
  }

  /** The process of each VM that runs, by its domain. */
  async qemus(): Promise<Readonly<Record<string, number>>> {
    const folder = join(this.#libvirtd.runFolder, "libvirt", "qemu");
    const found: Record<string, number> = {};
    for (const name of await this.#domains()) {
      // None of one that is just being started or ended.
      const pid = await readFile(join(folder, `${name}.pid`), "utf8").catch(() => undefined);
      if (pid !== undefined) found[name] = Number(pid);
    }
    return found;
  }

  /** Every container of the test's, running or not, by name. */
  async containers(): Promise<readonly Container[]> {
    const ids = await docker("ps", "-aq", "--filter", `label=evm.owner=${this.name}`);
    if (ids.trim() === "") return [];
    const found: {
      Id: string;
      Config: { Image: string; Labels: Record<string, string> };
      State: { Running: boolean; StartedAt: string; Pid: number };
    }[] = JSON.parse(await docker("inspect", ...ids.trim().split("\n")));
    return found
      .map(({ Id, Config, State }) => ({
        id: Id,
        instance: Config.Labels["evm.instance"] ?? "",
        image: Config.Image,
        isRunning: State.Running,
        startedAt: State.StartedAt,
        pid: State.Pid,
      }))
      .sort((a, b) => a.instance.localeCompare(b.instance));
  }

  async container(instance: string): Promise<Container> {
    const found = (await this.containers()).find((one) => one.instance === instance);
    if (found === undefined) throw new Error(`Docker has no container of ${instance}`);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Each of them, whatever becomes of the others; the last one first.
    await using leftovers = new AsyncDisposableStack();
    leftovers.use(this.#directory);
    for (const image of this.#images) {
      leftovers.defer(async () => void (await docker("image", "rm", "--force", image)));
    }
    for (const { id } of await this.containers()) {
      leftovers.defer(async () => void (await docker("rm", "--force", id)));
    }
    const running = new Set(await this.#domains());
    for (const name of await this.domains()) {
      leftovers.defer(async () => {
        if (running.has(name)) await this.virsh("destroy", name);
        await this.virsh("undefine", name);
      });
    }
  }

  async #domains(...words: readonly string[]): Promise<readonly string[]> {
    const names = (await this.virsh("list", "--name", ...words)).split("\n");
    return names.filter((name) => name.startsWith(`${this.name}-`)).sort();
  }
}
