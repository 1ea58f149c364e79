/** A terminal in a container: a shell that Docker starts beside its program. */
import type { Duplex } from "node:stream";
import { type ConsoleSession, DriverError } from "../driver.ts";
import type { DockerEngine } from "./docker-engine.ts";

/** Ends what runs in the foreground, then the shell: Docker leaves both running when a terminal goes. */
const CTRL_C_CTRL_D = "\x03\x04";

/** @param id of a running container */
export async function openConsole(
  engine: DockerEngine,
  doing: string,
  id: string,
  signal: AbortSignal,
): Promise<ConsoleSession> {
  const terminal = { AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: true };
  const exec = await engine.call(doing, signal, (docker, abortSignal) =>
    docker.getContainer(id).exec({ ...terminal, Cmd: ["/bin/sh"], abortSignal }),
  );
  const stream = await engine.call(doing, signal, () =>
    exec.start({ hijack: true, stdin: true, Tty: true }),
  );
  return new DockerConsole(doing, stream, signal);
}

class DockerConsole implements ConsoleSession {
  readonly output: AsyncIterable<Uint8Array>;
  readonly #doing: string;
  readonly #stream: Duplex;

  constructor(doing: string, stream: Duplex, signal: AbortSignal) {
    this.output = stream;
    this.#doing = doing;
    this.#stream = stream;
    signal.addEventListener("abort", () => this.#end(), { once: true });
  }

  write(input: Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#stream.write(input, (error) => {
      if (error === null || error === undefined) return resolve();
      reject(new DriverError("unavailable", `${this.#doing}: ${error.message}`, { cause: error }));
    });
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
  }

  #end(): void {
    if (!this.#stream.writableEnded) this.#stream.end(CTRL_C_CTRL_D);
  }
}
