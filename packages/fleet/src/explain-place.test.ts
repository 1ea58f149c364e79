import { expect, test } from "vitest";
import {
  aFleet,
  aHost,
  anEntry,
  anImage,
  anObserved,
  aPlacement,
  aSnapshot,
  aVm,
  digest,
  fleetName,
  someOrders,
} from "../test/build.ts";
import { explainPlace } from "./explain-place.ts";
import type { FleetRecord, HostView } from "./snapshot.ts";

const web = { fleet: fleetName("web"), index: 0 };
const explain = (fleet: FleetRecord, ...hosts: readonly HostView[]) =>
  explainPlace(aSnapshot([fleet], hosts), web);

const running = (fleet: FleetRecord, over: Partial<HostView> = {}): HostView =>
  aHost(
    "h1",
    { instances: [anObserved()] },
    { orders: someOrders("h1", [anEntry()], {}, fleet), ...over },
  );

test("the best host is said to be it, with what it and the next are worth", () => {
  const small = { capacity: { vcpuMillis: 100, memoryMib: 8192, diskMib: 0 } };
  expect(explain(aFleet(), running(aFleet()), aHost("h2"), aHost("h3", small))).toEqual({
    text:
      "h1 is the best of 2 hosts that take it: spread gives h1 1.00; " +
      "the next: spread gives h2 1.00",
    refusals: [
      {
        rule: "vcpu",
        hosts: 1,
        text: "needs 0.5 vCPUs; the most that is free is 0.1 on h3",
      },
    ],
  });
});

test("its own promise is taken out: a host that it fills takes it", () => {
  const capacity = { vcpuMillis: 500, memoryMib: 256, diskMib: 0 };
  const full = aHost(
    "h1",
    { capacity, instances: [anObserved()] },
    { orders: someOrders("h1", [anEntry()]) },
  );
  expect(explain(aFleet(), full)).toEqual({
    text: "h1 is the only host that takes it",
    refusals: [],
  });
});

test("a host that has the image would be better now, and nothing is moved for it", () => {
  const image = anImage();
  const fleet = aFleet({ template: aVm() }, { image });
  const pools = [{ name: "p1", totalBytes: 1e12, freeBytes: 1e11, artifacts: [image.disk.digest] }];
  expect(explain(fleet, running(fleet), aHost("h2", { pools }))?.text).toBe(
    "h2 would be the better host now: spread gives h2 1.00, the image that is there 0.10; " +
      "here: spread gives h1 1.00; what runs is not moved for that",
  );
});

test("a host that would not take it any more says why", () => {
  const constraints = [{ label: "disk", operator: "exists", values: [] }] as const;
  const fleet = aFleet({ placement: aPlacement({ constraints }) });
  expect(explain(fleet, running(fleet))?.text).toBe(
    "h1 would not take it now (needs a host with a label disk; not so are h1), " +
      "but it stays where it is",
  );
});

test("what does not run, or is not declared, has no place to explain", () => {
  expect(explain(aFleet(), aHost("h1"))).toBe(undefined);
  const other = aFleet({ name: fleetName("api") }, { template: digest("a3") });
  expect(explain(other, running(aFleet()))).toBe(undefined);
});
