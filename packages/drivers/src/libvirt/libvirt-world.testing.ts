/** The real libvirtd and QEMU with the micro guest, as a world for the contract suite. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import {
  type Artifact,
  type Digest,
  type Image,
  type ImageName,
  runtimeName,
  type VmTemplate,
} from "@evm/fleet";
import { createImageCache } from "@evm/images";
import { systemClock } from "../clock.testing.ts";
import type { ContractProgram, ContractWorld } from "../contract.ts";
import type { Driver, InstanceRef } from "../driver.ts";
import { createLibvirtDriver, type LibvirtDriverOptions } from "./libvirt-driver.ts";

const run = promisify(execFile);

const GUEST = join(import.meta.dirname, "../../../../tools/guest");

/** What the guest's shell says last, once it waits for input. */
const PROMPT = "/ # \u001b[6n";

/** How the guest is told what to do: it runs user data that starts with `#!`. */
const USER_DATA: { readonly [program in ContractProgram]?: string } = {
  ends: `#!/bin/sh\nprintf '/ # \\033[6n'\npoweroff -f\n`,
  stubborn: "#!/bin/sh\nkill $(cat /tmp/acpid.pid)\n",
};

/** virsh, from outside of EVM. */
export const virsh = async (...args: string[]): Promise<string> =>
  (await run("virsh", ["-q", "-c", "qemu:///system", ...args])).stdout.trim();

export class LibvirtWorld implements ContractWorld {
  readonly output = PROMPT;
  readonly console = { input: "\necho A$((40+2))B\n", shows: "A42B" };
  readonly startMs = 1500;
  readonly patienceMs = 60_000;
  readonly folder: string;
  readonly #image: Image;
  readonly #drivers: (Driver & AsyncDisposable)[] = [];
  readonly #foreign: string[] = [];

  private constructor(folder: string, image: Image) {
    this.folder = folder;
    this.#image = image;
  }

  static async open(): Promise<LibvirtWorld> {
    const folder = await mkdtemp(join(tmpdir(), "evm-libvirt-"));
    // QEMU may run as a user of its own.
    await chmod(folder, 0o755);
    await mkdir(join(folder, "pool"));
    return new LibvirtWorld(folder, await microImage());
  }

  connect(overrides: Partial<LibvirtDriverOptions> = {}): Driver {
    const pools = [{ name: "main", path: join(this.folder, "pool") }];
    const images = createImageCache({ pools, fetch, random: Math.random });
    const network = { kind: "none" } as const;
    const options = { images, clock: systemClock, network, owner: this.folder };
    const driver = createLibvirtDriver({ ...options, ...overrides });
    this.#drivers.push(driver);
    return driver;
  }

  template(program: ContractProgram): { template: VmTemplate; image: Image } {
    const { disk } = this.#image;
    const digest = `sha256:${"0".repeat(64)}` as Digest;
    const isInvalid = program === "invalid";
    return {
      template: {
        kind: "vm",
        resources: { vcpuMillis: 1000, memoryMib: 96, diskMib: 64 },
        image: this.#image.name,
        userData: USER_DATA[program],
        readiness: readiness(program),
      },
      image: isInvalid ? { ...this.#image, disk: { ...disk, digest } } : this.#image,
    };
  }

  async crash({ name, incarnation }: InstanceRef): Promise<void> {
    const pid = await readFile(`/run/libvirt/qemu/${runtimeName(name, incarnation)}.pid`, "utf8");
    process.kill(Number(pid), "SIGKILL");
  }

  /** The guest shows it by itself. */
  async showReadiness(): Promise<void> {}

  async createForeign(name: string): Promise<void> {
    const xml = join(this.folder, "foreign.xml");
    const memory = "<memory unit='MiB'>32</memory>";
    const os = "<os><type arch='x86_64'>hvm</type></os>";
    const text = `<domain type='qemu'><name>${name}</name>${memory}${os}</domain>`;
    await writeFile(xml, text);
    await virsh("define", xml);
    await virsh("start", name);
    this.#foreign.push(name);
  }

  async isForeignIntact(name: string): Promise<boolean> {
    return (await virsh("domstate", name)) === "running";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const driver of this.#drivers) await driver[Symbol.asyncDispose]();
    for (const name of this.#foreign) {
      await virsh("destroy", name);
      await virsh("undefine", name);
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

function readiness(program: ContractProgram): VmTemplate["readiness"] {
  if (program === "readies") return { text: "EVM-GUEST-UP", timeoutMs: 60_000 };
  if (program === "never-readies") return { text: "never", timeoutMs: 1 };
  return undefined;
}

async function microImage(): Promise<Image> {
  const artifact = async (file: string): Promise<Artifact> => {
    const path = join(GUEST, file);
    const bytes = await readFile(path);
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
    return { url: pathToFileURL(path).href, digest, sizeBytes: bytes.length };
  };
  return {
    name: "micro" as ImageName,
    osFamily: "linux",
    disk: await artifact("disk.qcow2"),
    diskFormat: "qcow2",
    boot: {
      kind: "kernel",
      kernel: await artifact("vmlinuz"),
      initrd: await artifact("initrd.img"),
      cmdline: (await readFile(join(GUEST, "cmdline"), "utf8")).trim(),
    },
  };
}
