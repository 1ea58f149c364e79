import type { HostName } from "@evm/fleet";
import { connectCoordinator, connectHost } from "@evm/store";
import { systemClock } from "@evm/telemetry";
import { expect, test } from "vitest";
import { startNatsServer } from "../../../test/support/nats-server.ts";
import { describeIf, natsServer } from "../../../test/support/requires.ts";
import { agentOf, soon, startCoordinator } from "../test/cluster.ts";
import { FOOTING_MS } from "./leadership.ts";

describeIf([natsServer], "on a real server", () => {
  test("a leader with nothing to commit keeps its footing, and hosts their leases", async () => {
    await using server = await startNatsServer();
    const { signal } = soon();
    const common = { servers: [server.url], onError: () => undefined, signal };
    const options = { ...common, replicas: 1 };
    await using store = await connectCoordinator({ ...options, id: "a" });
    await using host = await connectHost({ ...common, host: "h1" as HostName });
    await using leader = startCoordinator({ coordinator: () => store }, "a");
    const beat = () =>
      host.heartbeat(
        { host: host.host, agent: agentOf(host.host), epoch: 0, generation: 0 },
        signal,
      );
    let granted: number | undefined;
    const begun = systemClock.monotonicMs();
    while (systemClock.monotonicMs() - begun < FOOTING_MS + 1_000) {
      const grant = await beat().catch(() => undefined);
      granted ??= grant?.epoch;
      if (granted !== undefined) expect(grant?.epoch).toBe(granted);
      await systemClock.sleep(100, signal);
    }
    expect(granted).toBeGreaterThan(0);
    expect(leader.coordinator.leadership).toMatchObject({ kind: "leading", epoch: granted });
  });
});
