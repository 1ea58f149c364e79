import { fleetRecordCodec, imageCodec } from "@evm/codec";
import { CONTROL_BUCKET, fleetKey, imageKey, keySubject } from "@evm/protocol";
import { headers } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { fleet, fleetName, image, imageName } from "../contract/fixtures.ts";
import type { StoreError } from "../store.ts";
import { type ControlMessage, ControlReader } from "./control-reader.ts";

function message(
  seq: number,
  key: string,
  data: Uint8Array,
  header: Record<string, string> = {},
): ControlMessage {
  const all = headers();
  for (const [name, value] of Object.entries(header)) all.set(name, value);
  return { subject: keySubject(CONTROL_BUCKET, key), seq, data, headers: all };
}

const fleetMessage = (seq: number, name: string, header: Record<string, string>) =>
  message(seq, fleetKey(name), fleetRecordCodec.encode(fleet(name)), header);

const inBatch = { "Nats-Batch-Id": "b1" };
const endOfBatch = { ...inBatch, "Nats-Batch-Commit": "1" };

function reader() {
  const errors: StoreError[] = [];
  return { errors, reader: new ControlReader((error) => errors.push(error)) };
}

test("what one batch wrote becomes visible together", () => {
  const { reader: control, errors } = reader();
  control.receive(fleetMessage(1, "a", inBatch));
  control.receive(fleetMessage(2, "b", inBatch));
  expect(control.state()).toMatchObject({ revision: 0, fleets: new Map() });
  control.receive(fleetMessage(3, "c", endOfBatch));
  expect([...control.state().fleets.keys()]).toEqual(["a", "b", "c"]);
  expect(control.revision).toBe(3);
  expect(errors).toEqual([]);
});

test("a batch whose end was overwritten becomes visible with the write that did so", () => {
  const { reader: control } = reader();
  control.receive(fleetMessage(1, "a", inBatch));
  control.receive(fleetMessage(5, "c", { ...endOfBatch, "Nats-Batch-Id": "b2" }));
  expect([...control.state().fleets.keys()]).toEqual(["a", "c"]);
});

test("a message that comes again changes nothing", () => {
  const { reader: control } = reader();
  control.receive(fleetMessage(1, "a", endOfBatch));
  control.receive(message(2, fleetKey("a"), new Uint8Array(), { "KV-Operation": "DEL" }));
  control.receive(fleetMessage(1, "a", endOfBatch));
  expect(control.state().fleets.size).toBe(0);
  expect(control.cache.fleets.removal(fleetName("a"))).toBe(2);
});

test("a value that cannot be read is reported with its key, and the key keeps what it had", () => {
  const { reader: control, errors } = reader();
  const key = imageKey("debian-12.5");
  control.receive(message(1, key, imageCodec.encode(image("debian-12.5"))));
  control.receive(message(2, key, new TextEncoder().encode("not an image")));
  control.receive(fleetMessage(3, "a", endOfBatch));
  expect(errors).toMatchObject([
    { code: "corrupt", message: expect.stringContaining(`${key} at revision 2`) },
  ]);
  const { revision, images, fleets } = control.state();
  expect(images.get(imageName("debian-12.5"))?.revision).toBe(1);
  expect(fleets.size).toBe(1);
  expect(revision).toBe(3);
});

test("a value under another's key is reported", () => {
  const { reader: control, errors } = reader();
  control.receive(message(1, fleetKey("a"), fleetRecordCodec.encode(fleet("b"))));
  expect(errors).toMatchObject([{ code: "corrupt" }]);
  expect(control.state().fleets.size).toBe(0);
});

test("a key of no kind that is known is reported", () => {
  const { reader: control, errors } = reader();
  control.receive(message(1, "somethings.else", new Uint8Array()));
  expect(errors).toMatchObject([
    { code: "corrupt", message: expect.stringContaining("somethings.else") },
  ]);
});
