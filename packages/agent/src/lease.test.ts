import type { HostName } from "@evm/fleet";
import { createLog, ManualClock } from "@evm/telemetry";
import { expect, test } from "vitest";
import { AGENT, MemoryStateDir } from "./agent-world.testing.ts";
import { Lease } from "./lease.ts";

test("whoever saw the lease before it ended is told to look at once, not to wait", async () => {
  const clock = new ManualClock();
  const lease = new Lease({
    id: AGENT,
    store: { host: "h1" as HostName, heartbeat: async () => undefined },
    stateDir: new MemoryStateDir(),
    clock,
    log: createLog({ program: "t", level: "error", format: "text", write() {}, now: clock.now }),
    applied: () => ({ epoch: 0, generation: 0 }),
    onGained() {},
  });
  const seen = lease.state;
  const usableMs = lease.untilEnding(seen);
  expect(usableMs).toBeGreaterThan(0);
  await clock.advance(usableMs);
  expect(lease.untilEnding(seen)).toBe(0);
  expect(lease.untilEnding(lease.state)).toBe(Number.POSITIVE_INFINITY);
});
