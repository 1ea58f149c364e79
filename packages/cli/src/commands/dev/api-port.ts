/** The port of the API, looked at before anything is started: it is what people run twice. */
import { once } from "node:events";
import { createServer } from "node:net";
import { CliError, reasonOf } from "../../cli-error.ts";

const HOST = "127.0.0.1";

export type ApiPortOptions = {
  /** 0: any free one. */
  readonly port: number;
  readonly environment: NodeJS.ProcessEnv;
};

/** The port that the coordinator will take: what the user set for it wins. */
export const apiPort = ({ port, environment }: ApiPortOptions): number =>
  Number(environment["EVM_COORDINATOR_API__PORT"] ?? port);

/** Throws a `CliError` that says what to do where the port is taken. */
export async function assertFree(port: number): Promise<void> {
  const server = createServer();
  try {
    server.listen({ host: HOST, port });
    await once(server, "listening");
  } catch (cause) {
    throw new CliError(
      "failed",
      `port ${port} of ${HOST} cannot be used for the API: ${reasonOf(cause)}. If another ` +
        "`evm dev` runs, end it, or choose another port with --port (0: any free one).",
      { cause },
    );
  }
  server.close();
  await once(server, "close");
}
