/** Keeps a folder to one agent: two would undo each other's work, and remove each other's disks. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { realpath } from "node:fs/promises";
import { createServer } from "node:net";

/**
 * Takes the folder until disposed of, or fails where another agent has it. The lock is a name that
 * the kernel gives to one process at a time, and takes back however that one ends.
 */
export async function lockFolder(use: "pool" | "state", path: string): Promise<AsyncDisposable> {
  const server = createServer();
  const key = createHash("sha256").update(await realpath(path));
  server.listen(`\0evm-agent-${use}:${key.digest("hex")}`);
  try {
    await once(server, "listening");
  } catch (error) {
    throw new Error(`taking ${path}: another agent uses it`, { cause: error });
  }
  return server;
}
