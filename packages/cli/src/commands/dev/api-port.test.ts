import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { apiPort, assertFree } from "./api-port.ts";

test("a port that is taken is refused with what to do; one that is free stays free", async () => {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  await expect(assertFree(address.port)).rejects.toThrow(
    `port ${address.port} of 127.0.0.1 cannot be used for the API: address already in use. ` +
      "If another `evm dev` runs, end it, or choose another port with --port (0: any free one).",
  );
  await new Promise((resolve) => server.close(resolve));
  await assertFree(address.port);
  await assertFree(address.port);
});

test("what the user set for the coordinator wins over the option", () => {
  expect(apiPort({ port: 7070, environment: {} })).toBe(7070);
  expect(apiPort({ port: 7070, environment: { EVM_COORDINATOR_API__PORT: "0" } })).toBe(0);
});
