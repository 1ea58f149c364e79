import { errorDomainNames, errorNames } from "./error-names.ts";

/** What the daemon reported: virErrorNumber without its prefix, such as `NO_DOMAIN`. */
export type DaemonErrorCode = (typeof errorNames)[number];

/** Which part of the daemon reported it: virErrorDomain without its prefix, such as `QEMU`. */
export type DaemonErrorDomain = (typeof errorDomainNames)[number];

/**
 * What this client reports itself, in lower case so that it never reads like a daemon's code:
 * - `connect-failed`: the socket could not be reached
 * - `connection-lost`: the daemon went away, or stopped answering keepalives
 * - `connection-closed`: the call was made or cut short by this side's own close
 * - `timed-out`: no answer within the deadline; the daemon may still do what it was asked
 * - `aborted`: the caller's AbortSignal; the daemon may still do what it was asked
 * - `overloaded`: a limit of this client was reached (calls or events that wait, a stalled stream)
 * - `unsupported`: the daemon wants an authentication or lacks a feature that this client needs
 * - `invalid-argument`: an argument cannot be put on the wire
 * - `protocol`: the peer broke the protocol
 * - `unknown`: the daemon reported a number that this client has no name for
 */
export type ClientErrorCode =
  | "connect-failed"
  | "connection-lost"
  | "connection-closed"
  | "timed-out"
  | "aborted"
  | "overloaded"
  | "unsupported"
  | "invalid-argument"
  | "protocol"
  | "unknown";

export type LibvirtErrorCode = DaemonErrorCode | ClientErrorCode;

/** virErrorLevel by name. */
export type LibvirtErrorLevel = "none" | "warning" | "error";

const TRANSIENT: ReadonlySet<LibvirtErrorCode> = new Set<LibvirtErrorCode>([
  "connect-failed",
  "connection-lost",
  "timed-out",
  "overloaded",
  "OPERATION_TIMEOUT",
  "RESOURCE_BUSY",
  "AGENT_UNRESPONSIVE",
]);

/** The `virError` of a reply, as numbers. */
export interface WireError {
  readonly code: number;
  readonly domain: number;
  readonly level: number;
  readonly message: string;
}

/** The daemon's own numbers beside the names; absent when the client itself reports. */
export interface DaemonErrorOrigin {
  readonly codeNumber: number;
  readonly domain: DaemonErrorDomain | "unknown";
  readonly domainNumber: number;
}

/** Every failure of this package. Its message reads "what was being done: what went wrong". */
export class LibvirtError extends Error {
  override readonly name = "LibvirtError";
  readonly code: LibvirtErrorCode;
  readonly level: LibvirtErrorLevel;
  readonly origin: DaemonErrorOrigin | undefined;

  constructor(
    code: LibvirtErrorCode,
    message: string,
    options: {
      readonly cause?: unknown;
      readonly level?: LibvirtErrorLevel;
      readonly origin?: DaemonErrorOrigin;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.level = options.level ?? "error";
    this.origin = options.origin;
  }

  /** The error of a call named `doing`, from what the daemon sent. */
  static fromDaemon(doing: string, wire: WireError): LibvirtError {
    return new LibvirtError(errorNames[wire.code] ?? "unknown", `${doing}: ${wire.message}`, {
      level: wire.level === 0 ? "none" : wire.level === 1 ? "warning" : "error",
      origin: {
        codeNumber: wire.code,
        domain: errorDomainNames[wire.domain] ?? "unknown",
        domainNumber: wire.domain,
      },
    });
  }

  /** Whether the same request may succeed later, on this connection or on a new one. */
  get isTransient(): boolean {
    return TRANSIENT.has(this.code);
  }
}

/** The error of what `signal` ended. */
export function aborted(doing: string, signal: AbortSignal): LibvirtError {
  return new LibvirtError("aborted", `${doing}: aborted by the caller`, { cause: signal.reason });
}

/** Whether `error` is a LibvirtError with one of `codes`. */
export function hasCode(
  error: unknown,
  ...codes: readonly LibvirtErrorCode[]
): error is LibvirtError {
  return error instanceof LibvirtError && codes.includes(error.code);
}

/** Whether `error` says that there is no such domain. */
export const isNoDomain = (error: unknown): error is LibvirtError => hasCode(error, "NO_DOMAIN");

/** Whether `error` says that there is no such storage pool. */
export const isNoPool = (error: unknown): error is LibvirtError =>
  hasCode(error, "NO_STORAGE_POOL");

/** Whether `error` says that there is no such storage volume. */
export const isNoVolume = (error: unknown): error is LibvirtError =>
  hasCode(error, "NO_STORAGE_VOL");

/** Whether `error` says that there is no such network. */
export const isNoNetwork = (error: unknown): error is LibvirtError => hasCode(error, "NO_NETWORK");

/** Whether `error` says that the state forbids the request, such as a stop of what is off. */
export const isOperationInvalid = (error: unknown): error is LibvirtError =>
  hasCode(error, "OPERATION_INVALID");
