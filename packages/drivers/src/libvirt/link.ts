/**
 * The one connection of a driver, made when it is first needed and again after it was lost.
 *
 *  L1 At most one connection is open, and at most one attempt to open it goes on.
 *  L2 After a failed attempt callers fail at once, with its error, until the backoff has passed.
 */
import type { Clock } from "@evm/fleet";
import { type Connection, connect } from "@evm/libvirt";
import { DriverError } from "../driver.ts";

/** Where libvirtd listens, and which hypervisor it shall open. */
export type LinkOptions = {
  readonly socketPath: string;
  readonly uri: string;
  readonly clock: Clock;
};

const FIRST_BACKOFF_MS = 100;
/** libvirtd restarts within a few seconds: nobody waits much longer than that for nothing. */
const MAX_BACKOFF_MS = 5_000;

export class Link implements AsyncDisposable {
  readonly #options: LinkOptions;
  readonly #ended = new AbortController();
  #opening: Promise<Connection> | undefined;
  #failure: { readonly error: unknown; readonly retryAtMs: number } | undefined;
  #backoffMs = FIRST_BACKOFF_MS;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** The open connection; throws what hinders it, or where the signal fires first. */
  async connection(signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    if (this.#ended.signal.aborted) {
      throw new DriverError("unavailable", "connecting to libvirt: the driver was closed");
    }
    const { clock } = this.#options;
    if (this.#failure !== undefined && clock.monotonicMs() < this.#failure.retryAtMs) {
      throw this.#failure.error;
    }
    this.#opening ??= this.#open();
    const leaving = Promise.withResolvers<never>();
    const onAbort = () => leaving.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([this.#opening, leaving.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    const connection = await this.#opening?.catch(() => undefined);
    await connection?.close();
  }

  async #open(): Promise<Connection> {
    const { socketPath, uri, clock } = this.#options;
    try {
      const connection = await connect({ socketPath, uri, signal: this.#ended.signal });
      this.#failure = undefined;
      this.#backoffMs = FIRST_BACKOFF_MS;
      // Owned here: it resolves when the connection is lost, whatever else goes on.
      void connection.closed.then(() => {
        this.#opening = undefined;
      });
      return connection;
    } catch (error) {
      this.#opening = undefined;
      this.#failure = { error, retryAtMs: clock.monotonicMs() + this.#backoffMs };
      this.#backoffMs = Math.min(2 * this.#backoffMs, MAX_BACKOFF_MS);
      throw error;
    }
  }
}
