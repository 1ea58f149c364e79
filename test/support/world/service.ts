/** A program that runs on a machine of the world, until it is killed, or the machine is. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../eventually.ts";
import { childOf, type Machine } from "./machine.ts";

export type ServiceOptions = {
  readonly machine: Machine;
  readonly name: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether it does its work, from what it has written since it was started. */
  readonly isUp: (output: string) => Promise<boolean> | boolean;
};

const UP_PATIENCE_MS = 60_000;
const LOOK_INTERVAL_MS = 50;

export class Service {
  readonly name: string;
  readonly machine: Machine;
  /** Holds what it wrote, of all its runs. */
  readonly logFile: string;
  readonly #options: ServiceOptions;
  /** `nsenter`, the parent of the program itself. */
  #child: ChildProcess | undefined;
  #pid: number | undefined;
  /** Where in the log its newest run begins. */
  #logStart = 0;
  /** Whether this run of it has been seen to be up. */
  #hasBeenUp = false;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.name = options.name;
    this.machine = options.machine;
    this.logFile = join(this.machine.room.folder, `${this.machine.name}.${this.name}.log`);
  }

  get isRunning(): boolean {
    return this.#pid !== undefined;
  }

  /** Starts it, unless it runs; does not wait for it to be up. */
  async launch(): Promise<void> {
    if (this.isRunning) return;
    const [enter = "", ...options] = this.machine.entry;
    const { command, environment } = this.#options;
    const log = openSync(this.logFile, "a");
    this.#logStart = (await stat(this.logFile)).size;
    const child = spawn(enter, [...options, ...command], {
      stdio: ["ignore", log, log],
      env: { ...process.env, ...environment },
    });
    closeSync(log);
    this.#child = child;
    this.#hasBeenUp = false;
    child.once("exit", () => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#pid = undefined;
    });
    this.#pid = await childOf(child);
  }

  /** Starts it, and waits until it is up; nothing to do where it has been so before. */
  async start(): Promise<void> {
    await this.launch();
    if (!this.#hasBeenUp) await this.up();
  }

  async up(): Promise<void> {
    const what = `${this.name} on ${this.machine.name} is up`;
    const look = async () => {
      if (!this.isRunning) throw new Error(`${what}: it ended instead:\n${await this.output()}`);
      return (await this.#options.isUp(await this.output())) ? true : undefined;
    };
    const state = () => this.output();
    await eventually(what, look, {
      state,
      patienceMs: UP_PATIENCE_MS,
      intervalMs: LOOK_INTERVAL_MS,
    });
    this.#hasBeenUp = true;
  }

  /** Of its newest run. */
  async output(): Promise<string> {
    return (await readFile(this.logFile)).subarray(this.#logStart).toString();
  }

  /** Ends it, by default as a crash would. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.#signal(signal);
    await this.gone();
  }

  /** It stands still, and holds its connections. */
  freeze(): void {
    this.#signal("SIGSTOP");
  }

  thaw(): void {
    this.#signal("SIGCONT");
    // It stops and goes on together with its child.
    this.#child?.kill("SIGCONT");
  }

  /** Waits for its end. */
  async gone(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exited = once(child, "exit").then(() => true);
    // Stopped together with its child, it hears of the child's end only when it goes on.
    do child.kill("SIGCONT");
    while (!(await Promise.race([exited, delay(LOOK_INTERVAL_MS, false)])));
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#pid === undefined) return;
    process.kill(this.#pid, signal);
  }
}
