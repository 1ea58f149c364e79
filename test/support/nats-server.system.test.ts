import { connect } from "node:net";
import { expect, test } from "vitest";
import { type NatsServer, startNatsCluster, startNatsServer } from "./nats-server.ts";
import { describeIf, natsServer } from "./requires.ts";

/** The first line that a server sends to whoever connects, as an object. */
async function info(server: NatsServer): Promise<Record<string, unknown>> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  socket.once("data", (data) => resolve(String(data)));
  socket.once("error", reject);
  try {
    return JSON.parse((await promise).replace(/^INFO /, ""));
  } finally {
    socket.destroy();
  }
}

describeIf([natsServer], "a nats-server for tests", () => {
  test("offers JetStream, and comes back under the same address after a crash", async () => {
    await using server = await startNatsServer();
    const { url, pid } = server;
    expect(await info(server)).toMatchObject({ jetstream: true });

    await server.stop();
    await expect(info(server)).rejects.toThrow("ECONNREFUSED");
    await server.start();

    expect(server.url).toBe(url);
    expect(server.pid).not.toBe(pid);
    expect(await info(server)).toMatchObject({ jetstream: true });
  });

  test("forms a cluster in which every server knows every other", async () => {
    await using cluster = await startNatsCluster();
    for (const server of cluster.servers) {
      expect(await info(server)).toMatchObject({ cluster: "evm", jetstream: true });
    }
  });
});
