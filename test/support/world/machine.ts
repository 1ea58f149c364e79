/**
 * A machine of a room: namespaces of its own for network, mounts, names and processes, with one
 * cable to the switch and one disk. Power loss is a kill of its first process: the kernel kills all
 * others with it, at once. The disk outlives it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { eventually } from "../eventually.ts";
import { run } from "../run.ts";
import { NETWORK, type Room } from "./room.ts";
import { Service, type ServiceOptions } from "./service.ts";

export type MachineOptions = {
  /** Also its host name; at most 15 characters, for its end at the switch. */
  readonly name: string;
  /** The last part of its address, 1 to 253. */
  readonly number: number;
  readonly diskMib: number;
};

/** What does not get through any more. */
export type Cut = {
  /** Seen from the machine that is cut off; default: neither way. */
  readonly direction?: "incoming" | "outgoing" | "both";
  /** Cut off from these alone; default: from all. */
  readonly from?: readonly Machine[];
};

const START_TIMEOUT_MS = 10_000;

/** A fresh /run: whatever sockets of this machine's daemons are there, it has none of them. */
const BOOT = `
hostname "$0"
mount -t tmpfs run /run
exec tini -s -- sleep infinity
`;

/** PATH lacks it for whoever is not root at a terminal. */
const IPTABLES = "/usr/sbin/iptables";

export class Machine implements AsyncDisposable {
  readonly name: string;
  readonly address: string;
  /** A folder, the same inside and at the switch; this process finds it by `room.path`. */
  readonly disk: string;
  readonly room: Room;
  readonly services: Service[] = [];
  readonly #number: number;
  #child: ChildProcess | undefined;
  #firstPid: number | undefined;
  #isCut = false;
  #isFull = false;

  private constructor(room: Room, disk: string, { name, number }: MachineOptions) {
    this.room = room;
    this.disk = disk;
    this.name = name;
    this.address = `${NETWORK}.${number}`;
    this.#number = number;
  }

  /** Made, and switched on. */
  static async make(room: Room, options: MachineOptions): Promise<Machine> {
    const disk = await room.disk(options.name, options.diskMib);
    const machine = new Machine(room, disk, options);
    await machine.powerOn();
    return machine;
  }

  get isOn(): boolean {
    return this.#firstPid !== undefined;
  }

  /** A program that shall run here, not started yet. */
  service(options: Omit<ServiceOptions, "machine">): Service {
    const service = new Service({ ...options, machine: this });
    this.services.push(service);
    return service;
  }

  /** Switches it on, with no service running yet. */
  async powerOn(): Promise<void> {
    if (this.isOn) return;
    const unshare = "--net --mount --uts --ipc --pid --fork --kill-child --mount-proc".split(" ");
    const boot = ["sh", "-euc", BOOT, this.name];
    const child = spawn(
      "setpriv",
      ["--pdeathsig", "KILL", ...this.room.entry, "unshare", ...unshare, ...boot],
      { stdio: "ignore" },
    );
    this.#child = child;
    this.#firstPid = await childOf(child);
    await this.#connect();
  }

  /** As if the power failed. */
  async powerOff(): Promise<void> {
    const [child, pid] = [this.#child, this.#firstPid];
    this.#child = undefined;
    this.#firstPid = undefined;
    this.#isCut = false;
    if (child === undefined || pid === undefined) return;
    const exited = once(child, "exit");
    process.kill(pid, "SIGKILL");
    await exited;
    await Promise.all(this.services.map((service) => service.gone()));
  }

  /** Until `mend`, or the loss of its power. Cuts add up. */
  async cut({ direction = "both", from }: Cut = {}): Promise<void> {
    this.#isCut = true;
    if (direction === "both" && from === undefined) {
      await this.room.run("ip", "link", "set", this.name, "down");
      return;
    }
    const peers = from === undefined ? ["0.0.0.0/0"] : from.map(({ address }) => address);
    for (const peer of peers) {
      if (direction !== "outgoing") await this.#drop("INPUT", "--in-interface", "--source", peer);
      if (direction !== "incoming") {
        await this.#drop("OUTPUT", "--out-interface", "--destination", peer);
      }
    }
  }

  /** Undoes all cuts. */
  async mend(): Promise<void> {
    if (!this.isOn || !this.#isCut) return;
    await this.room.run("ip", "link", "set", this.name, "up");
    await this.run(IPTABLES, "--wait", "--flush");
    this.#isCut = false;
  }

  /** Leaves no room on its disk, but for what is given back to it later. */
  async fillDisk(): Promise<void> {
    this.#isFull = true;
    await this.room.run("sh", "-c", 'cat /dev/zero 2>/dev/null >"$0/ballast" || :', this.disk);
  }

  /** Returns whether it was full. */
  async emptyDisk(): Promise<boolean> {
    if (!this.#isFull) return false;
    this.#isFull = false;
    await this.room.run("rm", "-f", `${this.disk}/ballast`);
    return true;
  }

  /** Holds a folder for each process that runs here; undefined: it is off. */
  get processes(): string | undefined {
    return this.#firstPid === undefined ? undefined : `/proc/${this.#firstPid}/root/proc`;
  }

  /** What begins the command line of a program that shall run here. */
  get entry(): readonly string[] {
    if (this.#firstPid === undefined) throw new Error(`${this.name} is switched off`);
    const target = ["--target", String(this.#firstPid)];
    return ["nsenter", ...target, "--net", "--mount", "--uts", "--ipc", "--pid"];
  }

  /** Runs a command here, to its end. */
  async run(command: string, ...words: readonly string[]): Promise<string> {
    const [enter = "", ...options] = this.entry;
    return await run(enter, ...options, command, ...words);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.powerOff();
  }

  /**
   * Gives it its cable. The one from before its power was lost goes by itself some time after that,
   * maybe just now. Always the same MAC, or the others would look for the old one a while.
   */
  async #connect(): Promise<void> {
    const own = `address 02:00:00:00:00:${this.#number.toString(16).padStart(2, "0")}`;
    await this.room.run(
      "sh",
      "-euc",
      `ip link delete ${this.name} 2>/dev/null || :
       ip link add ${this.name} type veth peer name eth0 ${own} netns ${this.#firstPid}
       ip link set ${this.name} master switch up`,
    );
    await this.run(
      "sh",
      "-euc",
      `ip link set lo up
       ip address add ${this.address}/24 dev eth0
       ip link set eth0 up`,
    );
  }

  async #drop(chain: string, interfaceOption: string, peerOption: string, peer: string) {
    const what = [interfaceOption, "eth0", peerOption, peer];
    await this.run(IPTABLES, "--wait", "--append", chain, ...what, "--jump", "DROP");
  }
}

/** The process that `parent` forks, by the number that it has out here. */
export async function childOf(parent: ChildProcess): Promise<number> {
  const { pid } = parent;
  if (pid === undefined) throw new Error("the process could not be started");
  return await eventually(
    "there is a process",
    async () => {
      if (parent.exitCode !== null) throw new Error(`it ended with ${parent.exitCode}`);
      const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
      const [first = ""] = children.split(" ");
      return first === "" ? undefined : Number(first);
    },
    { patienceMs: START_TIMEOUT_MS, intervalMs: 5 },
  );
}
