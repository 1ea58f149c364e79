/** What the doctor says of a host's name, with a real nats-server. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { HostName, Orders } from "@evm/fleet";
import { connectCoordinator } from "@evm/store";
import { expect, test } from "vitest";
import { startNatsServer } from "../../../test/support/nats-server.ts";
import { describeIf, natsServer } from "../../../test/support/requires.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { AGENT_ID_FILE } from "./agent-id.ts";
import { AGENT } from "./agent-world.testing.ts";
import { loadConfig } from "./config.ts";
import { examine } from "./doctor.ts";

const HOST = "h1" as HostName;
const soon = () => AbortSignal.timeout(20_000);

describeIf([natsServer], "the doctor", () => {
  test("says where another machine is the host of this name", async () => {
    await using directory = await temporaryDirectory("doctor");
    await using nats = await startNatsServer();
    const stateDir = join(directory.path, "state");
    const config = loadConfig(undefined, {
      EVM_AGENT_HOST: HOST,
      EVM_AGENT_NATS_SERVERS: `[${nats.url}]`,
      EVM_AGENT_STATE_DIR: stateDir,
      EVM_AGENT_POOLS: `[{name: main, path: ${directory.path}}]`,
      EVM_AGENT_DRIVERS: "[]",
    });
    const ofName = async () =>
      (await examine(config, Math.random)).find(({ check }) => check === "host name");
    expect(await ofName()).toMatchObject({ status: "warning" });

    const options = { servers: [nats.url], id: "c1", replicas: 1, onError: () => undefined };
    await using store = await connectCoordinator({ ...options, signal: soon() });
    const claim = await store.claimEpoch("c1", 0, soon());
    if (claim.kind !== "written") throw new Error("somebody else leads");
    const { epoch } = claim;
    expect(await ofName()).toMatchObject({ status: "ok" });
    const value: Orders = {
      ...{ host: HOST, agent: AGENT, epoch, generation: 1 },
      ...{ templates: [], fleets: [], instances: [] },
    };
    const orders = [{ value, expectedRevision: 0 }];
    await store.commit({ epoch, orders, fleets: [], forgottenFleets: [] }, soon());
    expect(await ofName()).toMatchObject({
      status: "no",
      detail: "orders of h1 are for agent agent-1, this agent was never started",
      remedy: expect.stringContaining("another name"),
    });
    await mkdir(stateDir);
    await writeFile(join(stateDir, AGENT_ID_FILE), AGENT);
    expect(await ofName()).toMatchObject({ status: "ok", detail: "h1; this is agent agent-1" });
  });
});
