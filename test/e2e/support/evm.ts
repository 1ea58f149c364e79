/** The built command line, run as a person or a script runs it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { addGuest } from "../../support/guest.ts";

/** The file to run. */
export const EVM = fileURLToPath(new URL("../../../dist/evm.mjs", import.meta.url));

/** Longer than any wait of `evm` here takes: what it waits for in vain, it says by itself. */
const TIMEOUT_MS = 110_000;
/** What `evm` is told to wait at most. */
const WAIT = ["--wait", "--timeout", "90s"] as const;

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** As far as tests look at it; JSON as protobuf writes it. */
export type Instance = {
  readonly name: string;
  readonly fleet: string;
  readonly phase: string;
  readonly incarnation: number;
  readonly restarts: number;
  readonly reason: string;
};

export type Host = { readonly name: string; readonly liveness: string };

/** `evm`, talking to one coordinator. */
export class Evm {
  readonly server: string;

  constructor(server: string) {
    this.server = server;
  }

  /** Runs it to its end, whatever that is. */
  async run(words: readonly string[], input = ""): Promise<Ran> {
    const child = spawn(process.execPath, [EVM, "--server", this.server, ...words], {
      timeout: TIMEOUT_MS,
    });
    const closed = once(child, "close");
    // Where it ends before it has read everything, its exit code and words tell why.
    child.stdin.on("error", () => undefined).end(input);
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
    return { code: child.exitCode ?? 128, out, err };
  }

  /** What it prints; throws unless it ends well. */
  async ok(words: readonly string[], input = ""): Promise<string> {
    const { code, out, err } = await this.run(words, input);
    if (code === 0) return out;
    throw new Error(`evm ${words.join(" ")}: ended with ${code}:\n${err}${out}`);
  }

  async instances(...words: readonly string[]): Promise<readonly Instance[]> {
    const { instances } = JSON.parse(await this.ok(["ps", "--json", ...words]));
    return instances;
  }

  async instance(name: string): Promise<Instance | undefined> {
    return (await this.instances()).find((one) => one.name === name);
  }

  async hosts(): Promise<readonly Host[]> {
    return JSON.parse(await this.ok(["hosts", "--json"])).hosts;
  }

  /** Declares fleets and waits until all of their instances are ready. */
  apply(...fleets: readonly object[]): Promise<string> {
    return this.ok(["apply", "-f", "-", ...WAIT], documents(...fleets));
  }

  scale(fleet: string, replicas: number): Promise<string> {
    return this.ok(["scale", fleet, String(replicas), ...WAIT]);
  }

  /** `start`, `stop` or `restart`, waiting until it is so. */
  operate(verb: "start" | "stop" | "restart", instance: string): Promise<string> {
    return this.ok([verb, instance, ...WAIT]);
  }

  delete(...fleets: readonly string[]): Promise<string> {
    return this.ok(["delete", ...fleets, "--yes", ...WAIT]);
  }

  /** Adds the micro guest to the catalog; `disk` replaces the options that name its disk. */
  addGuest(name: string, ...disk: readonly string[]): Promise<string> {
    return this.ok(addGuest(name, disk.length > 0 ? disk : undefined));
  }
}

/** Fleets as one file: JSON is YAML. */
export const documents = (...fleets: readonly object[]): string =>
  fleets.map((fleet) => JSON.stringify(fleet)).join("\n---\n");
