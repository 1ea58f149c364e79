/** The program of `relay.ts`. Its argument is the routes, as JSON. */
import { connect, createServer, type Socket } from "node:net";
import { argv } from "node:process";

const routes: Readonly<Record<string, string>> = JSON.parse(argv[2] ?? "{}");

for (const [path, address] of Object.entries(routes)) {
  const [host = "", port = ""] = address.split(":");
  createServer((near) => join(near, connect(Number(port), host))).listen(path);
}

/** What one says the other hears; when one breaks off, so does the other. */
function join(near: Socket, far: Socket): void {
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    from.setNoDelay();
    from.pipe(to);
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
  }
}
