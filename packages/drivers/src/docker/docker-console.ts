/**
 * A terminal in a container: a shell that Docker starts beside its program. Docker leaves that
 * shell running when the terminal goes, and tells its process id only as the host sees it; so the
 * shell first tells its own, by which it is ended.
 */
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { type ConsoleSession, DriverError } from "../driver.ts";
import type { DockerEngine } from "./docker-engine.ts";

const SHELL = ["/bin/sh", "-c", "echo $$; exec /bin/sh"];
const TERMINAL = { AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: true };
/** Of what stands in the place of the process id when there is no shell. */
const MAX_LINE_LENGTH = 1000;

/** @param id of a running container */
export async function openConsole(
  engine: DockerEngine,
  doing: string,
  id: string,
  signal: AbortSignal,
): Promise<ConsoleSession> {
  const stream = await engine.call(doing, signal, async (docker, abortSignal) => {
    const exec = await docker.getContainer(id).exec({ ...TERMINAL, Cmd: SHELL, abortSignal });
    const opened = await exec.start({ hijack: true, stdin: true, Tty: true });
    if (abortSignal.aborted) opened.destroy();
    return opened;
  });
  try {
    const line = await engine.call(doing, signal, (_docker, abortSignal) =>
      readLine(stream, abortSignal),
    );
    if (!/^\d+$/.test(line)) throw new DriverError("unsupported", `${doing}: ${line}`);
    return new DockerConsole({ engine, doing, container: id, shell: line, stream }, signal);
  } catch (error) {
    stream.destroy();
    throw error;
  }
}

type Terminal = {
  readonly engine: DockerEngine;
  readonly doing: string;
  readonly container: string;
  /** Its process id in the container. */
  readonly shell: string;
  readonly stream: Duplex;
};

class DockerConsole implements ConsoleSession {
  readonly output: AsyncIterable<Uint8Array>;
  readonly #terminal: Terminal;
  #end: Promise<void> | undefined;

  constructor(terminal: Terminal, signal: AbortSignal) {
    this.output = terminal.stream;
    this.#terminal = terminal;
    // Whoever reads or writes is told; where nobody does, an error must not end the process.
    terminal.stream.on("error", () => {});
    signal.addEventListener("abort", () => this[Symbol.asyncDispose](), { once: true });
  }

  write(input: Uint8Array): Promise<void> {
    const { doing, stream } = this.#terminal;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    stream.write(input, (error) => {
      if (error === null || error === undefined) resolve();
      else reject(new DriverError("unavailable", `${doing}: ${error.message}`, { cause: error }));
    });
    return promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#end ??= this.#hangUp();
    return this.#end;
  }

  /** As a terminal does that is switched off: what runs in the foreground is told by the kernel. */
  async #hangUp(): Promise<void> {
    const { engine, doing, container, shell, stream } = this.#terminal;
    const hasEnded = stream.readableEnded;
    stream.end();
    if (hasEnded) return;
    const Cmd = ["/bin/sh", "-c", `kill -HUP ${shell}`];
    try {
      await engine.call(doing, new AbortController().signal, async (docker, abortSignal) => {
        const exec = await docker.getContainer(container).exec({ Cmd, abortSignal });
        await exec.start({ Detach: true, abortSignal });
      });
    } catch (error) {
      // The container has ended, and the shell with it; or Docker has, and there is no one to tell.
      if (!(error instanceof DriverError)) throw error;
    }
  }
}

/** The first line, without its end; what follows it stays in the stream. */
async function readLine(stream: Duplex, signal: AbortSignal): Promise<string> {
  let read = Buffer.alloc(0);
  while (read.length < MAX_LINE_LENGTH && !stream.readableEnded) {
    const piece: Buffer | null = stream.read();
    if (piece === null) {
      await once(stream, "readable", { signal });
      continue;
    }
    read = Buffer.concat([read, piece]);
    const newline = read.indexOf("\n");
    if (newline === -1) continue;
    stream.unshift(read.subarray(newline + 1));
    return read.subarray(0, newline).toString().trim();
  }
  return read.toString().trim();
}
