import type { ByteStream } from "./byte-stream.ts";
import type { Procedure } from "./procedure.ts";

/** What every request takes. */
export interface CallOptions {
  /**
   * Ends the wait, with a LibvirtError `aborted`. The protocol cannot recall a call that was sent:
   * the daemon carries it out all the same, and its reply is dropped.
   */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for the reply, the time in the queue included. Default: the connection's. */
  readonly timeoutMs?: number | undefined;
}

/** A request with flags: one of the objects of `flags.ts`, or'ed. Default: 0. */
export interface FlagOptions extends CallOptions {
  readonly flags?: number | undefined;
}

/** What the groups of procedures need of a connection. */
export interface Caller {
  call<Args, Reply>(
    procedure: Procedure<Args, Reply>,
    args: Args,
    options?: CallOptions,
  ): Promise<Reply>;

  /** Calls a procedure that opens a stream. `signal` aborts the stream too, as long as it lasts. */
  openStream<Args>(
    procedure: Procedure<Args, void>,
    args: Args,
    options?: CallOptions,
  ): Promise<ByteStream>;
}
