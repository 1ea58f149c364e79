import { expect } from "vitest";
import { startNatsServer } from "../../../../test/support/nats-server.ts";
import { describeIf, natsServer } from "../../../../test/support/requires.ts";
import { soon } from "../contract/fixtures.ts";
import { storeContract } from "../contract.ts";
import type { StoreError } from "../store.ts";
import { connectCoordinator } from "./coordinator.ts";
import { connectHost } from "./host.ts";

describeIf([natsServer], "a real server", () => {
  storeContract("the store on NATS", async () => {
    const stack = new AsyncDisposableStack();
    const errors: StoreError[] = [];
    const onError = (error: StoreError) => errors.push(error);
    stack.defer(() => expect(errors).toEqual([]));
    const server = stack.use(await startNatsServer());
    const servers = [server.url];
    // Hosts need the streams that a coordinator makes.
    stack.use(await connectCoordinator({ servers, id: "c0", signal: soon(), onError }));
    return {
      coordinator: async (id) =>
        stack.use(await connectCoordinator({ servers, id, signal: soon(), onError })),
      host: async (host) =>
        stack.use(await connectHost({ servers, host, signal: soon(), onError })),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  });
});
