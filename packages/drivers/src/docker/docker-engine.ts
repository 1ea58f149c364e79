/** The Docker daemon, with what dockerode lacks: deadlines, one kind of error, streams that end. */
import { Readable } from "node:stream";
import type { Clock } from "@evm/fleet";
import Dockerode, { type ContainerInspectInfo } from "dockerode";
import { cancelled, DriverError } from "../driver.ts";
import { alreadySo, toDriverError } from "./docker-error.ts";

export type DockerEngineOptions = { readonly socketPath: string; readonly clock: Clock };

/** A call on the daemon; `signal` ends it when the caller's does, and at the deadline. */
type Work<T> = (docker: Dockerode, signal: AbortSignal) => Promise<T>;

/**
 * For calls that answer from memory or start a process. A start takes 0.3 s of CPU, and a host that
 * starts hundreds at once has been seen to take tens of seconds for one.
 */
const CALL_DEADLINE_MS = 60_000;

export class DockerEngine {
  readonly clock: Clock;
  readonly #docker: Dockerode;

  constructor({ socketPath, clock }: DockerEngineOptions) {
    this.clock = clock;
    this.#docker = new Dockerode({ socketPath });
  }

  /** @throws DriverError whatever goes wrong, with `doing` at the front of its message */
  async call<T>(
    doing: string,
    signal: AbortSignal,
    work: Work<T>,
    deadlineMs: number = CALL_DEADLINE_MS,
  ): Promise<T> {
    const ending = new AbortController();
    const over = Promise.withResolvers<never>();
    const cancel = () => over.reject(signal.reason);
    signal.addEventListener("abort", cancel, { once: true });
    const forget = this.clock.after(deadlineMs, () => {
      const text = `${doing}: no answer within ${deadlineMs / 1000} s`;
      over.reject(new DriverError("cancelled", text));
    });
    try {
      signal.throwIfAborted();
      // A race, because dockerode never answers when a response breaks off in the middle.
      return await Promise.race([work(this.#docker, ending.signal), over.promise]);
    } catch (error) {
      ending.abort();
      throw signal.aborted ? cancelled(doing, signal, error) : toDriverError(doing, error);
    } finally {
      forget();
      signal.removeEventListener("abort", cancel);
    }
  }

  /** @param container its name or id; undefined where there is none */
  async inspect(
    container: string,
    doing: string,
    signal: AbortSignal,
    deadlineMs?: number,
  ): Promise<ContainerInspectInfo | undefined> {
    const inspected = await this.call(
      doing,
      signal,
      (docker, abortSignal) =>
        docker.getContainer(container).inspect({ abortSignal }).catch(alreadySo(404)),
      deadlineMs,
    );
    return inspected ?? undefined;
  }

  /** Reads a stream until it ends or the reader leaves. Only opening has a deadline. */
  async *stream(
    doing: string,
    signal: AbortSignal,
    open: Work<NodeJS.ReadableStream>,
    deadlineMs?: number,
  ): AsyncGenerator<Uint8Array> {
    const opened = await this.call(doing, signal, open, deadlineMs);
    // Not by the request's own signal: one that fires when the answer has just ended makes Node
    // throw an error that nobody can catch.
    const leave = () => {
      if (opened instanceof Readable) opened.destroy();
    };
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    try {
      for await (const piece of opened)
        yield typeof piece === "string" ? Buffer.from(piece) : piece;
    } catch (error) {
      throw signal.aborted ? cancelled(doing, signal, error) : toDriverError(doing, error);
    } finally {
      signal.removeEventListener("abort", leave);
      leave();
    }
  }
}
