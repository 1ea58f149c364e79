import type { Digest, FleetName } from "@evm/fleet";
import { instanceName } from "@evm/fleet";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bareMarksToXml, type Marks, macOf, marksFromXml, marksToXml, uuidOf } from "./marks.ts";

const fleet = "web" as FleetName;

/** Whatever XML may hold: no control characters but tab and line ends. */
const text = fc.string({ unit: "grapheme-ascii" }).map((it) => `${it}\t\r\n"'<&>`);
const count = fc.nat();

const marks = fc.record<Marks>({
  name: count.map((index) => instanceName(fleet, index)),
  incarnation: count,
  fleet: fc.constant(fleet),
  index: count,
  templateDigest: fc.constant(`sha256:${"0".repeat(64)}` as Digest),
  readiness: fc.option(fc.record({ text, timeoutMs: count }), { nil: undefined }),
  folder: text,
  network: fc.option(text, { nil: undefined }),
  run: fc.option(
    fc.record({
      startedAt: count,
      isReady: fc.boolean(),
      end: fc.option(
        fc.record({ exit: fc.constantFrom("success" as const, "failure" as const), reason: text }),
        { nil: undefined },
      ),
    }),
    { nil: undefined },
  ),
});

test("marks are read as they were written, in either form", () => {
  fc.assert(
    fc.property(marks, (it) => {
      expect(marksFromXml(marksToXml(it))).toEqual(it);
      expect(marksFromXml(bareMarksToXml(it))).toEqual(it);
    }),
  );
});

test("marks are read whichever way an XML library quotes them", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  const xml = `<instance name='web-0001' incarnation='2'
    fleet='web' index='1' template-digest='${digest}' folder='/a&apos;b&amp;c&#x41;'></instance>`;
  expect(marksFromXml(xml)).toMatchObject({ name: "web-0001", folder: "/a'b&cA" });
});

test("what is not whole is not EVM's", () => {
  for (const xml of ["", "<instance/>", '<instance name="web-0001" fleet="web" index="x"/>']) {
    expect(marksFromXml(xml)).toBeUndefined();
  }
});

test("UUID and MAC address follow from owner and name, and are valid", () => {
  const id = { owner: "evm", name: "web-0001.1" };
  expect(uuidOf(id)).toBe(uuidOf({ ...id }));
  expect(uuidOf(id)).not.toBe(uuidOf({ ...id, name: "web-0001.2" }));
  expect(uuidOf(id)).not.toBe(uuidOf({ ...id, owner: "other" }));
  expect(uuidOf(id)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-/);
  expect(macOf(id)).toMatch(/^52(:[0-9a-f]{2}){5}$/);
});
