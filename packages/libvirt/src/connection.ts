import { createConnection, type Socket } from "node:net";
import { Channel } from "./channel.ts";
import { Domains } from "./domains.ts";
import { aborted, LibvirtError } from "./error.ts";
import { Host } from "./host.ts";
import { DEFAULT_KEEPALIVE, type KeepaliveOptions } from "./keepalive.ts";
import { LifecycleEvents } from "./lifecycle-events.ts";
import { Networks } from "./networks.ts";
import { Pools } from "./pools.ts";
import { connectionProcedures as procedures } from "./procedures/connection.ts";
import { Volumes } from "./volumes.ts";

/** Where a system-wide libvirtd listens. */
export const DEFAULT_SOCKET_PATH = "/run/libvirt/libvirt-sock";

/**
 * libvirtd stops reading a connection while it works on `max_client_requests` calls of it (5 as
 * shipped), keepalives included. One less leaves it room to hear that this side lives.
 */
export const DEFAULT_MAX_CALLS_IN_FLIGHT = 4;

/** Starting a domain on a busy host takes many seconds; nothing sane takes a minute. */
export const DEFAULT_TIMEOUT_MS = 60_000;

// Closing is a courtesy to the daemon, which also notices a socket that is gone.
const CLOSE_TIMEOUT_MS = 2_000;

// remote_auth_type
const AUTH_NAMES = ["none", "SASL", "polkit"] as const;
const AUTH_NONE = 0;

// VIR_DRV_FEATURE_PROGRAM_KEEPALIVE. Asking also tells the daemon that it may send pings itself.
const FEATURE_KEEPALIVE = 10;

export interface ConnectOptions {
  /** Default: DEFAULT_SOCKET_PATH. */
  readonly socketPath?: string | undefined;
  /** Which hypervisor, in the daemon's spelling: `qemu:///system`, `test:///default`. */
  readonly uri: string;
  /** ConnectFlags, or'ed. Default: 0. */
  readonly flags?: number | undefined;
  /** Ends the wait for the connection, not the connection. */
  readonly signal?: AbortSignal | undefined;
  /** The deadline of each call that has none of its own. Default: DEFAULT_TIMEOUT_MS. */
  readonly timeoutMs?: number | undefined;
  /**
   * How many calls the daemon works on at once; more wait here. Keep it below the daemon's
   * `max_client_requests`. Default: DEFAULT_MAX_CALLS_IN_FLIGHT.
   */
  readonly maxCallsInFlight?: number | undefined;
  /** Default: DEFAULT_KEEPALIVE. */
  readonly keepalive?: KeepaliveOptions | undefined;
}

/** An open connection to a libvirt daemon. */
export class Connection implements AsyncDisposable {
  readonly host: Host;
  readonly domains: Domains;
  readonly pools: Pools;
  readonly volumes: Volumes;
  readonly networks: Networks;
  /** Resolves when the connection has ended, with the reason: `connection-closed` after `close`. */
  readonly closed: Promise<LibvirtError>;
  readonly #channel: Channel;

  constructor(channel: Channel, events: LifecycleEvents, closed: Promise<LibvirtError>) {
    this.#channel = channel;
    this.closed = closed;
    this.host = new Host(channel);
    this.domains = new Domains(channel, events);
    this.pools = new Pools(channel);
    this.volumes = new Volumes(channel);
    this.networks = new Networks(channel);
  }

  /** Takes leave of the daemon and ends the connection; what is under way fails. Never rejects. */
  async close(): Promise<void> {
    try {
      await this.#channel.call(procedures.close, undefined, { timeoutMs: CLOSE_TIMEOUT_MS });
    } catch (error) {
      // Gone already, or not answering: closed is closed.
      if (!(error instanceof LibvirtError)) throw error;
    } finally {
      this.#channel.end(
        new LibvirtError("connection-closed", "libvirt: the connection was closed"),
      );
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Connects to a daemon over its unix socket and opens a hypervisor. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const { uri, signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const { maxCallsInFlight = DEFAULT_MAX_CALLS_IN_FLIGHT } = options;
  if (!(maxCallsInFlight >= 1)) {
    const problem = `maxCallsInFlight is ${maxCallsInFlight}, expected at least 1`;
    throw new LibvirtError("invalid-argument", `connecting to ${uri}: ${problem}`);
  }
  const socketPath = options.socketPath ?? DEFAULT_SOCKET_PATH;
  const socket = await openSocket(socketPath, timeoutMs, signal);
  const events = new LifecycleEvents();
  const closed = Promise.withResolvers<LibvirtError>();
  const channel = new Channel({
    socket,
    timeoutMs,
    maxCallsInFlight,
    onMessage: (procedure, reader) => events.receive(procedure, reader),
    onEnd: (error) => {
      events.end(error);
      closed.resolve(error);
    },
  });
  try {
    const auths = await channel.call(procedures.authList, undefined, { signal });
    if (!auths.includes(AUTH_NONE)) throw unsupportedAuth(socketPath, auths);
    if (await channel.call(procedures.supportsFeature, FEATURE_KEEPALIVE, { signal })) {
      channel.keepAlive(options.keepalive ?? DEFAULT_KEEPALIVE);
    }
    await channel.call(procedures.open, { uri, flags: options.flags ?? 0 }, { signal });
  } catch (error) {
    channel.end(new LibvirtError("connection-closed", "libvirt: the connection was not opened"));
    throw error;
  }
  return new Connection(channel, events, closed.promise);
}

function openSocket(
  path: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const doing = `connecting to ${path}`;
  if (signal?.aborted) return Promise.reject(aborted(doing, signal));
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    const settle = () => {
      clearTimeout(timer);
      socket.removeListener("error", onError);
      signal?.removeEventListener("abort", onAbort);
    };
    const fail = (error: LibvirtError) => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onError = (cause: Error) =>
      fail(new LibvirtError("connect-failed", `${doing}: ${cause.message}`, { cause }));
    const onAbort = () => signal && fail(aborted(doing, signal));
    const timer = setTimeout(() => {
      fail(new LibvirtError("timed-out", `${doing}: not accepted within ${timeoutMs} ms`));
    }, timeoutMs);
    socket.once("error", onError);
    socket.once("connect", () => {
      settle();
      resolve(socket);
    });
    signal?.addEventListener("abort", onAbort);
  });
}

function unsupportedAuth(socketPath: string, auths: readonly number[]): LibvirtError {
  const names = auths.map((auth) => AUTH_NAMES[auth] ?? `type ${auth}`).join(", ") || "no type";
  return new LibvirtError(
    "unsupported",
    `connecting to ${socketPath}: the daemon asks for authentication by ${names}` +
      '; this client needs `auth_unix_rw = "none"`, or to run as root where polkit lets it in',
  );
}
