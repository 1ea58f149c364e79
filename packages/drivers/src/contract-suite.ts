/** The hands of the contract suite: its world, and what its tests do again and again. */
import { instanceName, isDigest, isFleetName } from "@evm/fleet";
import { expect, vi } from "vitest";
import type {
  Driver,
  DriverErrorCode,
  DriverInstance,
  InstanceRef,
  InstanceSpec,
} from "./driver.ts";

/**
 * What an instance of the suite does:
 * - `runs`: prints `world.output` and runs until it is told to end. Has no readiness.
 * - `stubborn`: the same, but does not end when it is asked to.
 * - `ends`: prints `world.output` and ends by itself, well.
 * - `readies`: has a readiness, which shows when `world.showReadiness` is called, or by itself
 *   after seconds.
 * - `never-readies`: has a readiness, and runs, but does not show it in time.
 * - `invalid`: cannot be made: the runtime, or the driver, must refuse it.
 */
export type ContractProgram =
  | "runs"
  | "stubborn"
  | "ends"
  | "readies"
  | "never-readies"
  | "invalid";

/** One runtime with nothing of EVM's on it, owned by the suite until it is disposed of. */
export interface ContractWorld extends AsyncDisposable {
  /** A new driver over this runtime, as after a restart of the agent. */
  connect(): Driver;
  template(program: ContractProgram): Pick<InstanceSpec, "template" | "image">;
  /** Text that `runs`, `stubborn` and `ends` print. */
  readonly output: string;
  /** Ends a running incarnation from outside, as `kill -9` would. */
  crash(ref: InstanceRef): Promise<void>;
  showReadiness(ref: InstanceRef): Promise<void>;
  /** Makes something under this name that is not EVM's, and leaves it running. */
  createForeign(name: string): Promise<void>;
  /** Whether it is still there, and running. */
  isForeignIntact(name: string): Promise<boolean>;
  /** What to type at a console and what it then shows; undefined where the driver has none. */
  readonly console: { readonly input: string; readonly shows: string } | undefined;
  /** Longer than the runtime takes to start what `runs`. */
  readonly startMs: number;
  /** The longest that anything may take to show: a boot, a readiness. */
  readonly patienceMs: number;
}

const FLEET = branded("contract", isFleetName);
const DIGEST = branded(`sha256:${"0".repeat(64)}`, isDigest);
const POLL_INTERVAL_MS = 20;

/** A world once it has been set up, and a driver over it. */
export class Suite {
  readonly #setup: () => Promise<ContractWorld>;
  #opened: { world: ContractWorld; driver: Driver } | undefined;
  #nextIndex = 0;

  constructor(setup: () => Promise<ContractWorld>) {
    this.#setup = setup;
  }

  async open(): Promise<void> {
    const world = await this.#setup();
    this.#opened = { world, driver: world.connect() };
  }

  async close(): Promise<void> {
    await this.#opened?.world[Symbol.asyncDispose]();
  }

  async clean(): Promise<void> {
    for (const instance of await this.list()) await this.driver.discard(instance, never());
  }

  get world(): ContractWorld {
    if (this.#opened === undefined) throw new Error("the world has not been set up");
    return this.#opened.world;
  }

  get driver(): Driver {
    if (this.#opened === undefined) throw new Error("the world has not been set up");
    return this.#opened.driver;
  }

  /** The next instance of the suite's fleet. */
  spec(program: ContractProgram): InstanceSpec {
    const index = this.#nextIndex++;
    const ref = { name: instanceName(FLEET, index), incarnation: 1 };
    return { ...ref, fleet: FLEET, index, templateDigest: DIGEST, ...this.world.template(program) };
  }

  prepare(spec: InstanceSpec): Promise<void> {
    return this.driver.prepare(spec, { signal: never(), onProgress: () => {} });
  }

  async up(program: ContractProgram): Promise<InstanceSpec> {
    const spec = this.spec(program);
    await this.prepare(spec);
    await this.driver.start(spec, never());
    return spec;
  }

  list(): Promise<readonly DriverInstance[]> {
    return this.driver.list(never());
  }

  async find(ref: InstanceRef): Promise<DriverInstance | undefined> {
    const instances = await this.list();
    return instances.find((it) => it.name === ref.name && it.incarnation === ref.incarnation);
  }

  /** Waits until the incarnation looks like this. */
  async shows(ref: InstanceRef, expected: Partial<DriverInstance>): Promise<void> {
    await this.eventually(async () => expect(await this.find(ref)).toMatchObject(expected));
  }

  /** Tries again and again until it does not throw, as long as the world's patience lasts. */
  async eventually(attempt: () => Promise<void>): Promise<void> {
    const interval = POLL_INTERVAL_MS;
    await vi.waitFor(attempt, { timeout: this.world.patienceMs, interval });
  }

  async read(ref: InstanceRef, tailLines?: number): Promise<string> {
    const options = { tailLines, isFollowing: false, signal: never() };
    return text(this.driver.logs(ref, options));
  }
}

/** A signal that does not fire. */
export const never = (): AbortSignal => new AbortController().signal;

/** Expects the work to fail with a `DriverError` of this code. */
export async function rejectsWith(code: DriverErrorCode, work: Promise<unknown>): Promise<void> {
  await expect(work).rejects.toMatchObject({ name: "DriverError", code });
}

/** Everything that is read, until the end. */
export async function text(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const collected: Uint8Array[] = [];
  for await (const piece of pieces) collected.push(piece);
  return Buffer.concat(collected).toString();
}

/** Text that the predicate knows to be of the type. */
export function branded<T extends string>(text: string, is: (text: string) => text is T): T {
  if (!is(text)) throw new TypeError(`not what it should be: ${text}`);
  return text;
}
