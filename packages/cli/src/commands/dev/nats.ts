/** The NATS server of `evm dev`: which binary, which settings. */
import { accessSync, constants } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CliError } from "../../cli-error.ts";
import type { Part } from "./part.ts";

const PORTS_FILE_INTERVAL_MS = 20;

/** EVM_NATS_SERVER, the one that set-up unpacks beside the sources, or one from PATH. */
export function findNatsServer(environment: NodeJS.ProcessEnv): string {
  const isBundled = import.meta.url.endsWith(".mjs");
  const tools = isBundled ? "../tools/" : "../../../../../tools/";
  const own = fileURLToPath(new URL(`${tools}nats/nats-server`, import.meta.url));
  const named = environment["EVM_NATS_SERVER"];
  const inPath = (environment["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "nats-server"));
  const found = (named === undefined ? [own, ...inPath] : [named]).find(isExecutable);
  if (found !== undefined) return found;
  throw new CliError(
    "failed",
    named === undefined
      ? "there is no nats-server: run `npm run setup`, or name one in EVM_NATS_SERVER"
      : `EVM_NATS_SERVER names ${named}, which cannot be run`,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Writes the settings of a server on loopback, on any free port, with its data below `folder`. */
export async function writeNatsConfig(folder: string): Promise<string> {
  const file = join(folder, "nats.conf");
  const config = {
    server_name: "evm-dev",
    listen: "127.0.0.1:-1",
    ports_file_dir: folder,
    jetstream: { store_dir: join(folder, "jetstream"), sync_interval: "always" },
  };
  await writeFile(file, JSON.stringify(config, undefined, 2));
  return file;
}

/** Waits for the address at which the server listens. */
export async function natsAddress(
  part: Part,
  folder: string,
  signal: AbortSignal,
): Promise<string> {
  const file = join(folder, `nats-server_${part.pid}.ports`);
  const ended = new AbortController();
  const how = part.ended.then((text) => ended.abort(new CliError("failed", `nats-server ${text}`)));
  const either = AbortSignal.any([signal, ended.signal]);
  for (;;) {
    const text = await readFile(file, "utf8").catch(() => "");
    const [, address] = /"nats":\s*\[\s*"([^"]+)"/.exec(text) ?? [];
    if (address !== undefined) {
      await rm(file);
      return address;
    }
    either.throwIfAborted();
    await delay(PORTS_FILE_INTERVAL_MS, undefined, { signal: either }).catch(() =>
      either.throwIfAborted(),
    );
    if (ended.signal.aborted) await how;
  }
}
