/**
 * What every driver must do, as tests: D1 to D5 of `driver.ts`. A world tells how to make instances
 * of its kind and how to meddle with the runtime behind the driver's back. A boot may take seconds,
 * so one test checks many things on the same one.
 */
import { isImageName, runtimeName, type Template } from "@evm/fleet";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { systemClock } from "./clock.testing.ts";
import { branded, type ContractWorld, never, rejectsWith, Suite, text } from "./contract-suite.ts";
import type { DriverInstance } from "./driver.ts";

export type { ContractProgram, ContractWorld } from "./contract-suite.ts";

const RESOURCES = { vcpuMillis: 1000, memoryMib: 64, diskMib: 64 };

/** A template of each kind, for a driver of the other. */
const OTHER_TEMPLATE: { readonly [kind in Template["kind"]]: Template } = {
  container: {
    kind: "vm",
    resources: RESOURCES,
    image: branded("none", isImageName),
    userData: undefined,
    readiness: undefined,
  },
  vm: {
    kind: "container",
    resources: RESOURCES,
    source: { kind: "image", reference: "none" },
    command: [],
    environment: {},
    ports: [],
    healthCheck: undefined,
  },
};

/** Long enough that a test which waits for it to pass would time out. */
const LONG_GRACE_MS = 600_000;

/** Registers the suite for one driver. `setup` is called once, before the first test. */
export function driverContract(name: string, setup: () => Promise<ContractWorld>): void {
  describe(`${name} keeps the driver contract`, () => {
    const suite = new Suite(setup);
    beforeAll(() => suite.open(), 120_000);
    afterEach(() => suite.clean(), 120_000);
    afterAll(() => suite.close(), 120_000);
    defineRefusals(suite);
    defineLife(suite);
    defineNeighbours(suite);
    defineReadiness(suite);
    defineOutput(suite);
  });
}

/** Enough for a test with several boots of an emulated VM. */
const SLOW = { timeout: 300_000 };

function defineRefusals(suite: Suite): void {
  test("a usable runtime with nothing of EVM's on it lists nothing", SLOW, async () => {
    expect(await suite.driver.probe(never())).toMatchObject({ isUsable: true });
    expect(await suite.list()).toEqual([]);
  });

  test("every verb but discard tells that an incarnation does not exist", SLOW, async () => {
    const ref = suite.spec("runs");
    await rejectsWith("notFound", suite.driver.start(ref, never()));
    await rejectsWith("notFound", suite.driver.stop(ref, { graceMs: 0, signal: never() }));
    await rejectsWith("notFound", suite.read(ref));
    const console = suite.driver.console(ref, never());
    await rejectsWith(suite.world.console === undefined ? "unsupported" : "notFound", console);
    await suite.driver.discard(ref, never());
  });

  test("what cannot be made is refused as invalid", SLOW, async () => {
    await rejectsWith("invalid", suite.prepare(suite.spec("invalid")));
    const spec = { ...suite.spec("runs"), template: OTHER_TEMPLATE[suite.driver.kind] };
    await rejectsWith("invalid", suite.prepare(spec));
    expect(await suite.list()).toEqual([]);
  });

  test("a signal that has fired stops every verb before it begins", SLOW, async () => {
    const { driver } = suite;
    const spec = suite.spec("runs");
    const signal = AbortSignal.abort();
    const onProgress = () => {};
    await rejectsWith("cancelled", driver.list(signal));
    await rejectsWith("cancelled", driver.prepare(spec, { signal, onProgress }));
    await rejectsWith("cancelled", driver.start(spec, signal));
    await rejectsWith("cancelled", driver.stop(spec, { graceMs: 0, signal }));
    await rejectsWith("cancelled", driver.discard(spec, signal));
    await driver.watch(() => {}, signal);
    expect(await suite.list()).toEqual([]);
  });
}

function defineLife(suite: Suite): void {
  test("an instance is prepared, runs, crashes, is started again and ends", SLOW, async () => {
    const { driver, world } = suite;
    const spec = suite.spec("runs");
    const { name, incarnation, fleet, index, templateDigest } = spec;

    await suite.prepare(spec);
    const created = { name, incarnation, fleet, index, templateDigest, state: "created" } as const;
    expect(await suite.list()).toMatchObject([{ ...created, startedAt: undefined }]);
    await suite.prepare(spec);
    expect(await suite.list()).toMatchObject([created]);
    await driver.stop(spec, { graceMs: 0, signal: never() });
    expect(await suite.list()).toMatchObject([created]);

    await driver.start(spec, never());
    await suite.shows(spec, { state: "ready", exit: undefined, reason: undefined });
    const started = await suite.find(spec);
    expect(started?.startedAt).toEqual(expect.any(Number));
    await driver.start(spec, never());
    await suite.prepare(spec);
    expect(await suite.find(spec)).toEqual(started);
    expect(await world.connect().list(never())).toEqual([started]);

    await world.crash(spec);
    await suite.shows(spec, { state: "exited", exit: "failure", reason: expect.any(String) });
    await driver.start(spec, never());
    await suite.shows(spec, { state: "ready", exit: undefined, reason: undefined });
    const restarted = await suite.find(spec);
    expect(restarted?.startedAt).toBeGreaterThanOrEqual(started?.startedAt ?? Infinity);

    await driver.stop(spec, { graceMs: world.patienceMs, signal: never() });
    expect(await suite.list()).toMatchObject([{ name, state: "exited" }]);
    await driver.stop(spec, { graceMs: 0, signal: never() });
    await suite.prepare(spec);
    expect(await suite.list()).toMatchObject([{ name, state: "exited" }]);
    await driver.discard(spec, never());
    await driver.discard(spec, never());
    expect(await suite.list()).toEqual([]);
  });

  test("a stop that is cut short may be repeated, and ends by force", SLOW, async () => {
    const { driver } = suite;
    const spec = await suite.up("stubborn");
    await suite.shows(spec, { state: "ready" });
    const cut = new AbortController();
    const stopping = driver.stop(spec, { graceMs: LONG_GRACE_MS, signal: cut.signal });
    cut.abort();
    await rejectsWith("cancelled", stopping);
    expect(await suite.find(spec)).toMatchObject({ state: "ready" });
    await driver.stop(spec, { graceMs: 1, signal: never() });
    expect(await suite.find(spec)).toMatchObject({ state: "exited" });
  });

  test("a start that is broken off shows in every list after it, or never is", SLOW, async () => {
    const { driver, world } = suite;
    for (const share of [0, 1 / 500, 1 / 50, 1 / 20, 1 / 8, 1 / 4]) {
      const spec = suite.spec("runs");
      await suite.prepare(spec);
      // What is known of it before tells nothing of what comes.
      await suite.list();
      const cut = new AbortController();
      const starting = driver.start(spec, cut.signal).catch(() => {});
      await systemClock.sleep(share * world.startMs, never());
      cut.abort();
      await starting;
      const listed = isUp(await suite.list());
      const listedAnew = isUp(await world.connect().list(never()));
      await systemClock.sleep(world.startMs, never());
      const isUpLater = isUp(await suite.list());
      expect({ share, listed, listedAnew }).toEqual({
        share,
        listed: isUpLater,
        listedAnew: isUpLater,
      });
      await driver.discard(spec, never());
    }
  });

  test("a program that ends by itself has ended well", SLOW, async () => {
    const spec = await suite.up("ends");
    const following = { tailLines: undefined, isFollowing: true, signal: never() };
    expect(await text(suite.driver.logs(spec, following))).toContain(suite.world.output);
    await suite.shows(spec, { state: "exited", exit: "success", reason: undefined });
    expect(await suite.read(spec)).toContain(suite.world.output);
  });
}

const isUp = ([shown]: readonly DriverInstance[]): boolean =>
  shown?.state === "running" || shown?.state === "ready";

function defineNeighbours(suite: Suite): void {
  test("two incarnations of one instance live side by side", SLOW, async () => {
    const first = suite.spec("runs");
    const second = { ...first, incarnation: 2 };
    const third = { ...first, incarnation: 3 };
    for (const spec of [first, second, third]) await suite.prepare(spec);
    for (const spec of [first, second]) await suite.driver.start(spec, never());
    await suite.shows(first, { state: "ready" });
    await suite.shows(second, { state: "ready" });
    await suite.driver.discard(first, never());
    await suite.driver.discard(third, never());
    expect(await suite.list()).toMatchObject([
      { name: first.name, incarnation: 2, state: "ready" },
    ]);
  });

  test(
    "what is not EVM's is neither seen nor touched, even under a name of EVM's",
    SLOW,
    async () => {
      const { driver, world } = suite;
      const spec = suite.spec("runs");
      const name = runtimeName(spec.name, spec.incarnation);
      await world.createForeign(name);
      expect(await suite.list()).toEqual([]);
      await rejectsWith("notFound", driver.start(spec, never()));
      await rejectsWith("notFound", driver.stop(spec, { graceMs: 0, signal: never() }));
      await rejectsWith("failed", suite.prepare(spec));
      await driver.discard(spec, never());
      expect(await world.isForeignIntact(name)).toBe(true);
      expect(await suite.list()).toEqual([]);
    },
  );
}

function defineReadiness(suite: Suite): void {
  test("an instance with a readiness is ready only once it shows", SLOW, async () => {
    const spec = await suite.up("readies");
    expect(await suite.find(spec)).toMatchObject({ state: "running", reason: undefined });
    await suite.world.showReadiness(spec);
    await suite.shows(spec, { state: "ready", reason: undefined });
    // A driver that saw nothing of this comes to the same answer (D1).
    expect(await suite.world.connect().list(never())).toEqual(await suite.list());
  });

  test(
    "a readiness that does not show in time is told, and the instance runs on",
    SLOW,
    async () => {
      const spec = await suite.up("never-readies");
      await suite.shows(spec, { state: "running", reason: expect.any(String) });
    },
  );

  test("a watcher is woken by a change from outside, until its signal fires", SLOW, async () => {
    const { driver, world } = suite;
    const spec = await suite.up("runs");
    const ending = new AbortController();
    const onChange = vi.fn();
    const watching = driver.watch(onChange, ending.signal);
    // A watch may take a moment to be heard; each crash is another change to hear.
    await suite.eventually(async () => {
      await driver.start(spec, never());
      await world.crash(spec);
      expect(onChange).toHaveBeenCalled();
    });
    ending.abort();
    await watching;
  });
}

function defineOutput(suite: Suite): void {
  test("output is kept, followed until the end, and cut off by the signal", SLOW, async () => {
    const { driver, world } = suite;
    const spec = await suite.up("runs");
    await suite.eventually(async () => expect(await suite.read(spec)).toContain(world.output));
    const tail = await suite.read(spec, 1);
    expect(tail.trimEnd()).not.toContain("\n");
    expect((await suite.read(spec)).endsWith(tail)).toBe(true);

    const cut = new AbortController();
    const follow = { tailLines: undefined, isFollowing: true };
    for await (const _ of driver.logs(spec, { ...follow, signal: cut.signal })) cut.abort();

    const whole = text(driver.logs(spec, { ...follow, signal: never() }));
    await world.crash(spec);
    expect(await whole).toContain(world.output);
  });

  test("a console shows what is typed at it, or is unsupported", SLOW, async () => {
    const { driver, world } = suite;
    const spec = await suite.up("runs");
    if (world.console === undefined) {
      await rejectsWith("unsupported", driver.console(spec, never()));
      return;
    }
    // What is typed at a guest that still boots is lost.
    await suite.eventually(async () => expect(await suite.read(spec)).toContain(world.output));
    await using session = await driver.console(spec, never());
    await session.write(Buffer.from(world.console.input));
    let seen = "";
    for await (const piece of session.output) {
      seen += Buffer.from(piece).toString();
      if (seen.includes(world.console.shows)) break;
    }
    expect(seen).toContain(world.console.shows);
  });
}
