/**
 * What runs instances: one small interface of idempotent verbs over libvirt, Docker and a fake.
 *
 * Invariants, proven for every driver by the contract suite:
 *  D1 `list` is the only truth: a driver remembers nothing that it could not read again.
 *  D2 Every verb is idempotent: "already so" is success, and a verb cut short may be repeated.
 *  D3 A driver sees and touches only what bears EVM's labels; foreign domains and containers are
 *     never listed, stopped or removed.
 *  D4 `discard` is the only verb that removes data (I4).
 *  D5 A runtime goes on with a start whose caller has left. Every list after that shows it, or
 *     waits for its end: what it shows as ended comes up by a later start only (I2).
 */
import type {
  Digest,
  FleetName,
  Image,
  InstanceName,
  Instant,
  Template,
  TemplateKind,
} from "@evm/fleet";

/** Which incarnation a verb is about. */
export type InstanceRef = {
  readonly name: InstanceName;
  readonly incarnation: number;
};

/** Everything a driver needs to make an incarnation; kept by it as labels where `list` needs it. */
export type InstanceSpec = InstanceRef & {
  readonly fleet: FleetName;
  readonly index: number;
  readonly templateDigest: Digest;
  readonly template: Template;
  /** Present for VMs. */
  readonly image: Image | undefined;
};

/** One incarnation as the runtime shows it. */
export type DriverInstance = InstanceRef & {
  readonly fleet: FleetName;
  readonly index: number;
  readonly templateDigest: Digest;
  /**
   * `created`: made, never started. `running`: up, its readiness not yet (or no longer) shown.
   * `ready`: running and its readiness, if any, shown. `exited`: has run and ended.
   * `broken`: exists, but only a discard helps (its disk is gone, its definition unreadable).
   */
  readonly state: "created" | "running" | "ready" | "exited" | "broken";
  /**
   * For `exited`: whether it ended well (exit code 0, the guest's own power-off). After a `stop` it
   * tells how the program took it: one that is ended by a signal has failed.
   */
  readonly exit: "success" | "failure" | undefined;
  /** Why, in words, for `exited` with failure, `broken`, and a readiness that ran out of time. */
  readonly reason: string | undefined;
  /** When it was last started, where it ever was. */
  readonly startedAt: Instant | undefined;
  readonly address: string | undefined;
};

export type DriverProbe =
  | { readonly isUsable: true; readonly detail: string; readonly warnings: readonly string[] }
  | { readonly isUsable: false; readonly reason: string; readonly remedy: string };

export type Progress = (text: string) => void;

export type PrepareOptions = {
  readonly signal: AbortSignal;
  /** Told, in words, what takes time: "fetching image debian12: 120 of 463 MiB". */
  readonly onProgress: Progress;
};

export type LogOptions = {
  /** Only so many lines from the end; absent: everything kept. */
  readonly tailLines: number | undefined;
  /** Goes on until the instance ends or the signal fires. */
  readonly isFollowing: boolean;
  readonly signal: AbortSignal;
};

/** A terminal on an instance. Closing either side ends it. */
export interface ConsoleSession extends AsyncDisposable {
  readonly output: AsyncIterable<Uint8Array>;
  write(input: Uint8Array): Promise<void>;
}

/**
 * Verbs fail with `DriverError` only. Every verb on an incarnation that does not exist fails with
 * `notFound`, but `discard` of one is done; so it is where something foreign has its name, and
 * there `prepare` fails with `failed`.
 */
export interface Driver {
  readonly kind: TemplateKind;
  /** Whether it can work on this machine, and if not, why and what helps. Never throws. */
  probe(signal: AbortSignal): Promise<DriverProbe>;
  /** Every incarnation of EVM's, in any state. */
  list(signal: AbortSignal): Promise<readonly DriverInstance[]>;
  /** Makes everything ready without starting it: image, disk, seed, definition or container. */
  prepare(spec: InstanceSpec, options: PrepareOptions): Promise<void>;
  /** Starts a prepared or exited incarnation on the disk it has. */
  start(ref: InstanceRef, signal: AbortSignal): Promise<void>;
  /** Asks it to end, and ends it by force after `graceMs`. */
  stop(ref: InstanceRef, options: { graceMs: number; signal: AbortSignal }): Promise<void>;
  /** Ends it by force and removes it with its data. */
  discard(ref: InstanceRef, signal: AbortSignal): Promise<void>;
  /** Its output: a container's, or a VM's serial console. */
  logs(ref: InstanceRef, options: LogOptions): AsyncIterable<Uint8Array>;
  /** Opens its terminal. Drivers that have none throw `DriverError` with code `unsupported`. */
  console(ref: InstanceRef, signal: AbortSignal): Promise<ConsoleSession>;
  /** Calls `onChange` when something may have changed, to wake the caller. Ends with the signal. */
  watch(onChange: () => void, signal: AbortSignal): Promise<void>;
}

const CODES = {
  /** The runtime does not answer, or broke off. */
  unavailable: { isTransient: true },
  /** No such incarnation. */
  notFound: { isTransient: false },
  /** What was asked cannot be made: bad template, no such image, failed build. */
  invalid: { isTransient: false },
  /** No room: disk full, out of memory. */
  exhausted: { isTransient: true },
  /** The signal fired or the deadline passed. */
  cancelled: { isTransient: true },
  unsupported: { isTransient: false },
  /** Anything else that the runtime said. */
  failed: { isTransient: false },
} as const;

export type DriverErrorCode = keyof typeof CODES;

export class DriverError extends Error {
  readonly code: DriverErrorCode;

  /** @param message "what I was doing: what went wrong" */
  constructor(code: DriverErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "DriverError";
    this.code = code;
  }

  /** True where the same call may succeed later without anyone changing anything. */
  get isTransient(): boolean {
    return CODES[this.code].isTransient;
  }
}

/** What a verb fails with whose signal has fired: because its caller left, or its time was up. */
export function cancelled(doing: string, signal: AbortSignal, cause: unknown): DriverError {
  const { reason } = signal;
  const isLate = reason instanceof DOMException && reason.name === "TimeoutError";
  const text = isLate ? reason.message : "cancelled";
  return new DriverError("cancelled", `${doing}: ${text}`, { cause });
}
