/**
 * A way for this process to reach the machines of a room: a program at the switch takes connections
 * at sockets in the room's folder, and hands each on to an address.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { eventually } from "../eventually.ts";
import type { Room } from "./room.ts";

const PROGRAM = fileURLToPath(new URL("./relay/main.ts", import.meta.url));

/** @param routes by the path of a socket: `address:port` */
export async function startRelay(
  room: Room,
  routes: Readonly<Record<string, string>>,
): Promise<AsyncDisposable> {
  const words = [...room.entry, process.execPath, PROGRAM, JSON.stringify(routes)];
  const relay = spawn("setpriv", ["--pdeathsig", "KILL", ...words], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exited = once(relay, "exit");
  await eventually("the relay listens", () => {
    if (relay.exitCode !== null) throw new Error(`the relay ended with ${relay.exitCode}`);
    return Object.keys(routes).every((path) => existsSync(path)) ? true : undefined;
  });
  return {
    async [Symbol.asyncDispose]() {
      relay.kill("SIGKILL");
      await exited;
    },
  };
}
