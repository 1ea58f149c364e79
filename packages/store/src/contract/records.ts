import { expect, test } from "vitest";
import { MAX_BLOB_BYTES } from "../store.ts";
import {
  bytes,
  collect,
  digestOf,
  event,
  hostName,
  pieces,
  query,
  type Setup,
  soon,
} from "./fixtures.ts";

/** Events: appended by all, listed and watched by coordinators. */
export function eventContract(setup: Setup): void {
  test("events are listed in the order in which they were appended", async () => {
    await using world = await setup();
    const [c1, h1] = [await world.coordinator("c1"), await world.host(hostName("h1"))];
    expect(await c1.listEvents(query(), soon())).toEqual([]);
    await c1.appendEvent(event("one"), soon());
    await h1.appendEvent(event("two", { source: "host/h1", host: "h1" }), soon());
    const listed = await c1.listEvents(query(), soon());
    expect(listed.map((stored) => stored.event)).toEqual([
      event("one"),
      event("two", { source: "host/h1", host: "h1" }),
    ]);
    expect(listed[1]?.sequence).toBeGreaterThan(listed[0]?.sequence ?? 0);
  });

  test("a query gives the newest that match all it names", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const about = [
      { fleet: "web", instance: "web-0001", host: "h1" },
      { fleet: "web", instance: "web-0002", host: "h2" },
      { fleet: "db", instance: "db-0001", host: "h1" },
      { host: "h1" },
    ];
    for (const [index, its] of about.entries())
      await c1.appendEvent(event(`${index}`, its), soon());
    const texts = async (of: Parameters<typeof query>[0]) =>
      (await c1.listEvents(query(of), soon())).map((stored) => stored.event.text);
    expect(await texts({ fleet: "web" })).toEqual(["0", "1"]);
    expect(await texts({ host: "h1" })).toEqual(["0", "2", "3"]);
    expect(await texts({ host: "h1", limit: 2 })).toEqual(["2", "3"]);
    expect(await texts({ host: "h1", fleet: "web" })).toEqual(["0"]);
    expect(await texts({ instance: "db-0001" })).toEqual(["2"]);
    expect(await texts({ limit: 0 })).toEqual([]);
    const [, second] = await c1.listEvents(query(), soon());
    expect(await texts({ afterSequence: second?.sequence ?? 0 })).toEqual(["2", "3"]);
    expect(await texts({ beforeSequence: second?.sequence ?? 0 })).toEqual(["0"]);
  });

  test("a watch gives the newest, then what comes, until its signal fires", async () => {
    await using world = await setup();
    const [c1, c2] = [await world.coordinator("c1"), await world.coordinator("c2")];
    for (const text of ["a", "b", "c"]) await c1.appendEvent(event(text, { fleet: "web" }), soon());
    await c2.listEvents(query(), soon());
    const over = new AbortController();
    const heard: string[] = [];
    const watch = c2.watchEvents(query({ fleet: "web", limit: 2 }), over.signal);
    for await (const stored of watch) {
      heard.push(stored.event.text);
      if (stored.event.text === "c") {
        await c1.appendEvent(event("other", { fleet: "db" }), soon());
        await c1.appendEvent(event("d", { fleet: "web" }), soon());
      }
      if (stored.event.text === "d") over.abort();
    }
    expect(heard).toEqual(["b", "c", "d"]);
  });
}

/** Blobs: content by digest. */
export function blobContract(setup: Setup): void {
  test("a blob comes back as it was stored, to coordinators and hosts", async () => {
    await using world = await setup();
    const [c1, h1] = [await world.coordinator("c1"), await world.host(hostName("h1"))];
    const content = Buffer.alloc(700_000, "content ");
    const digest = digestOf(content);
    const store = () =>
      c1.putBlob(digest, pieces(content.subarray(0, 10), content.subarray(10)), soon());
    await store();
    await store();
    for (const reader of [c1, h1]) {
      const blob = await reader.getBlob(digest, soon());
      if (blob === undefined) throw new Error("no blob");
      expect((await collect(blob)).equals(content)).toBe(true);
    }
  });

  test("a blob that was never stored is absent", async () => {
    await using world = await setup();
    const h1 = await world.host(hostName("h1"));
    expect(await h1.getBlob(digestOf("nothing"), soon())).toBeUndefined();
  });

  test("content that is not the digest's is refused, and nothing is kept of it", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const digest = digestOf("promised");
    await expect(c1.putBlob(digest, pieces(bytes("other")), soon())).rejects.toMatchObject({
      code: "corrupt",
    });
    expect(await c1.getBlob(digest, soon())).toBeUndefined();
    await c1.putBlob(digest, pieces(bytes("promised")), soon());
    expect(await c1.getBlob(digest, soon())).toBeDefined();
  });

  test("a blob above the limit is refused, and nothing is kept of it", async () => {
    await using world = await setup();
    const c1 = await world.coordinator("c1");
    const digest = digestOf("large");
    const mebibyte = Buffer.alloc(1024 * 1024);
    async function* tooMuch() {
      for (let size = 0; size <= MAX_BLOB_BYTES; size += mebibyte.length) yield mebibyte;
    }
    await expect(c1.putBlob(digest, tooMuch(), soon())).rejects.toMatchObject({
      code: "tooLarge",
      message: expect.stringContaining(String(MAX_BLOB_BYTES)),
    });
    expect(await c1.getBlob(digest, soon())).toBeUndefined();
  });
}
