import fc from "fast-check";
import { expect, test } from "vitest";
import {
  EPOCH_KEY,
  eventSubject,
  fleetKey,
  heartbeatSubject,
  hostKey,
  hostVerbSubject,
  imageKey,
  keySubject,
  ordersKey,
  ordersSubject,
  parseControlKey,
} from "./index.ts";

test("names are spelled as the servers' permissions and streams expect them", () => {
  expect(fleetKey("school-linux")).toBe("fleets.school-linux");
  expect(imageKey("debian-12.5")).toBe("images.debian-12_5");
  expect(ordersKey("h1")).toBe("orders.h1");
  expect(ordersSubject("h1")).toBe("orders.h1");
  expect(keySubject("control", EPOCH_KEY)).toBe("$KV.control.epoch");
  expect(heartbeatSubject("h1")).toBe("heartbeat.h1");
  expect(hostVerbSubject("h1", "logs")).toBe("host.h1.logs");
  expect(eventSubject("coordinator/c1")).toBe("events.coordinator.c1");
});

test("every key in control says what it is about", () => {
  const names = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?$/);
  fc.assert(
    fc.property(names, (name) => {
      expect(parseControlKey(imageKey(name))).toEqual({ kind: "image", name });
      const plain = name.replaceAll(".", "-");
      expect(parseControlKey(fleetKey(plain))).toEqual({ kind: "fleet", name: plain });
      expect(parseControlKey(hostKey(plain))).toEqual({ kind: "host", name: plain });
      expect(parseControlKey(ordersKey(plain))).toEqual({ kind: "orders", name: plain });
    }),
  );
  expect(parseControlKey(EPOCH_KEY)).toEqual({ kind: "epoch" });
});

test.each(["", "fleets", "fleets.a.b", "secrets.a", "toString.a"])(
  "the unknown key %j is about nothing",
  (key) => expect(parseControlKey(key)).toBeUndefined(),
);

test.each(["", "a.b", "*", ">", "a b"])("the name %j, not one token, is refused", (name) => {
  expect(() => hostKey(name)).toThrow(RangeError);
});
