import {
  type Action,
  type EventRecord,
  type FleetName,
  type HostName,
  type InstanceName,
  NO_ROLLOUT,
  type Rollout,
} from "@evm/fleet";
import { ManualClock } from "@evm/telemetry";
import { expect, test } from "vitest";
import { Announcer } from "./announcer.ts";

function listen() {
  const events: EventRecord[] = [];
  const clock = new ManualClock(5_000);
  const announcer = new Announcer({ id: "c1", clock, add: (event) => events.push(event) });
  return { announcer, events, texts: () => events.map(({ reason, text }) => `${reason}: ${text}`) };
}

const action = (index: number, over: Partial<Action> = {}): Action => ({
  kind: "create",
  instance: `web-${String(index).padStart(4, "0")}` as InstanceName,
  fleet: "web" as FleetName,
  incarnation: 1,
  host: `h${index % 3}` as HostName,
  from: undefined,
  reason: "it is wanted",
  ...over,
});

test("an update is told as it comes to stand", () => {
  const { announcer, texts } = listen();
  const tell = (rollout: Partial<Rollout>) =>
    announcer.rollout({
      spec: { name: "web" as FleetName },
      rollout: { ...NO_ROLLOUT, ...rollout },
    });
  tell({ state: { kind: "going" } });
  tell({ state: { kind: "halted", reason: "web-0001 has failed" } });
  tell({ state: { kind: "going" }, rolledBackBecause: "web-0001 has failed" });
  tell({});
  expect(texts()).toEqual([
    "RolloutStarted: web: its instances are being replaced",
    "RolloutHalted: web: web-0001 has failed",
    "RolledBack: web goes back to its previous template: web-0001 has failed",
    "RolloutDone: web: every instance is of the new template",
  ]);
});

test("an action names instance, host and reason, and where it came from", () => {
  const { announcer, events, texts } = listen();
  const from = "h9" as HostName;
  announcer.actions([action(1), action(2, { kind: "move", from, reason: "its host is lost" })]);
  expect(texts()).toEqual([
    "InstancePlaced: web-0001.1 on h1: it is wanted",
    "InstanceMoved: web-0002.1 from h9 to h2: its host is lost",
  ]);
  expect(events[0]).toMatchObject({
    at: 5_000,
    source: "coordinator/c1",
    fleet: "web",
    instance: "web-0001",
    host: "h1",
  });
});

test("many actions of one kind in one fleet are told as one event", () => {
  const { announcer, events, texts } = listen();
  const many = Array.from({ length: 51 }, (_, index) => action(index));
  announcer.actions([...many, action(0, { kind: "stop", reason: "it was asked to stop" })]);
  expect(texts()).toEqual([
    "InstancePlaced: 51 instances on 3 hosts; the first: it is wanted",
    "InstanceStopOrdered: web-0000.1 on h0: it was asked to stop",
  ]);
  expect(events[0]?.instance).toBe(undefined);
});

test("a host that is lost is an error, one that is back is not", () => {
  const { announcer, events } = listen();
  const h1 = "h1" as HostName;
  announcer.host(h1, "lost");
  announcer.host(h1, "up");
  expect(events.map(({ severity, text }) => [severity, text])).toEqual([
    ["error", "h1 is lost"],
    ["info", "h1 is up"],
  ]);
});
