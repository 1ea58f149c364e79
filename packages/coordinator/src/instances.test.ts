import type { AgentId, Digest, FleetName, HostName, HostView } from "@evm/fleet";
import { instanceName } from "@evm/fleet";
import { expect, test } from "vitest";
import { hostInstanceViews } from "./instances.ts";

const web = "web" as FleetName;

/** `h1`, which told that web-0000.1 is ready. */
const hostOf = (liveness: HostView["liveness"]): HostView => ({
  name: "h1" as HostName,
  admin: "active",
  liveness,
  heartbeat: undefined,
  orders: undefined,
  rival: undefined,
  successor: undefined,
  report: {
    ...{
      host: "h1" as HostName,
      agent: "a1" as AgentId,
      reportedAt: 0,
      epoch: 1,
      generation: 1,
      labels: {},
    },
    capacity: { vcpuMillis: 1_000, memoryMib: 1_024, diskMib: 1_024 },
    drivers: [],
    pools: [],
    instances: [
      {
        name: instanceName(web, 0),
        fleet: web,
        index: 0,
        incarnation: 1,
        template: `sha256:${"0".repeat(64)}` as Digest,
        kind: "container",
        phase: "ready",
        since: 0,
        restarts: 0,
        reason: undefined,
        exit: undefined,
        address: undefined,
      },
    ],
  },
});

test.each([
  ["up", "ready", undefined],
  ["unknown", "ready", "its host is not heard of; last seen ready"],
  ["silent", "ready", "its host is silent, and too many others are; last seen ready"],
  ["lost", "lost", "its host is lost; last seen ready"],
] as const)(
  "on a host that is %s it is %s, and says how old that is",
  (liveness, phase, reason) => {
    expect(hostInstanceViews(hostOf(liveness))).toMatchObject([{ phase, reason }]);
  },
);
