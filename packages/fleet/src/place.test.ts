import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aHost, anImage, aPlacement, digest, fleetName, hostName } from "../test/build.ts";
import { HostLoad } from "./host-load.ts";
import { admits, Cluster, explainRefusals, MAX_EXPLAINED, place } from "./place.ts";
import type { PlaceRequest } from "./rule.ts";
import { RULES, RULES_BY_COST } from "./rules/index.ts";
import { imageHere } from "./scores/image-here.ts";
import { pack } from "./scores/pack.ts";
import { spread } from "./scores/spread.ts";
import type { HostView } from "./snapshot.ts";

const NO_OVERCOMMIT = { vcpu: 1, memory: 1, disk: 1 };

const aRequest = (over: Partial<PlaceRequest> = {}): PlaceRequest => ({
  fleet: fleetName("web"),
  entries: 1,
  isResumed: false,
  kind: "vm",
  image: anImage(),
  resources: { vcpuMillis: 1000, memoryMib: 1024, diskMib: 1024 },
  hostPorts: [],
  placement: aPlacement(),
  apartFrom: new Set(),
  ...over,
});

const hostOf = (result: ReturnType<typeof place>): string | undefined =>
  result.kind === "placed" ? result.host.name : undefined;

test("a request that fits nowhere waits, and says why", () => {
  const small = { vcpuMillis: 8000, memoryMib: 1024, diskMib: 102_400 };
  const cluster = new Cluster(
    [
      aHost("h1", { capacity: { ...small, memoryMib: 512 } }),
      aHost("h2", { capacity: small }),
      aHost("h3", {}, { admin: "draining" }),
    ],
    NO_OVERCOMMIT,
  );
  const resources = { vcpuMillis: 1000, memoryMib: 4096, diskMib: 1024 };
  expect(place(cluster, aRequest({ resources }))).toEqual({
    kind: "wait",
    refusals: [
      {
        rule: "host",
        hosts: 1,
        text: "needs a host that is up and active; h3 is draining",
      },
      {
        rule: "memory",
        hosts: 2,
        text: "needs 4096 MiB of memory; the most that is free is 1024 MiB on h2",
      },
    ],
  });
});

test("in a cluster without hosts a request waits for one", () => {
  const cluster = new Cluster([], NO_OVERCOMMIT);
  const refusals = [{ rule: "host", hosts: 0, text: "needs a host; there is none" }];
  expect(place(cluster, aRequest())).toEqual({ kind: "wait", refusals });
});

test("what fits nowhere is told in detail to so many, and the rest that it is so", () => {
  const cluster = new Cluster([aHost("h1", { drivers: [] })], NO_OVERCOMMIT);
  const results = Array.from({ length: MAX_EXPLAINED + 1 }, () => place(cluster, aRequest()));
  const rules = results.map((one) => (one.kind === "wait" ? one.refusals[0]?.rule : undefined));
  expect(rules.slice(-2)).toEqual(["driver", "any"]);
  expect(results.at(-1)).toMatchObject({ refusals: [{ hosts: 1, text: expect.any(String) }] });
});

test("spread takes the least loaded host, pack the fullest that admits", () => {
  const cluster = new Cluster([aHost("h1"), aHost("h2"), aHost("h3")], NO_OVERCOMMIT);
  const [h1, h2] = cluster.hosts;
  if (h1 === undefined || h2 === undefined) throw new Error("two hosts");
  cluster.claim(h1, aRequest(), "all");
  cluster.claim(h2, aRequest({ resources: { vcpuMillis: 8000, memoryMib: 1, diskMib: 1 } }), "all");
  expect(hostOf(place(cluster, aRequest()))).toBe("h3");
  const packed = aRequest({ placement: aPlacement({ strategy: "pack" }) });
  expect(hostOf(place(cluster, packed))).toBe("h1");
});

test("of equal hosts the first by name is taken", () => {
  const cluster = new Cluster([aHost("h1"), aHost("h2")], NO_OVERCOMMIT);
  expect(hostOf(place(cluster, aRequest()))).toBe("h1");
});

test("a host that has the image is preferred, unless it is much fuller", () => {
  const pools = [
    { name: "p1", totalBytes: 1e12, freeBytes: 1e11, artifacts: [anImage().disk.digest] },
  ];
  const cluster = new Cluster([aHost("h1"), aHost("h2", { pools })], NO_OVERCOMMIT);
  const request = aRequest();
  const hosts: (string | undefined)[] = [];
  for (let placed = 0; placed < 4; placed += 1) {
    const result = place(cluster, request);
    hosts.push(hostOf(result));
    if (result.kind === "placed") cluster.claim(result.host, request, "all");
  }
  expect(hosts).toEqual(["h2", "h2", "h1", "h2"]);
});

test("the preferred host is taken where the rules admit it, whatever its score", () => {
  const cluster = new Cluster(
    [aHost("h1"), aHost("h2"), aHost("h3", {}, { admin: "draining" })],
    NO_OVERCOMMIT,
  );
  const h2 = cluster.host(hostName("h2"));
  if (h2 !== undefined) cluster.claim(h2, aRequest(), "all");
  expect(hostOf(place(cluster, aRequest(), hostName("h2")))).toBe("h2");
  expect(hostOf(place(cluster, aRequest(), hostName("h3")))).toBe("h1");
});

test("both orders of the rules hold the same rules", () => {
  expect(new Set(RULES_BY_COST)).toEqual(new Set(RULES));
  expect(RULES_BY_COST).toHaveLength(RULES.length);
});

describe("against asking every rule and score of every host", () => {
  const viewArb = (name: string): fc.Arbitrary<HostView> =>
    fc
      .record({
        vcpus: fc.integer({ min: 1, max: 6 }),
        gib: fc.integer({ min: 1, max: 6 }),
        zone: fc.constantFrom("a", "b"),
        hasImage: fc.boolean(),
        isUsable: fc.boolean(),
        admin: fc.constantFrom("active" as const, "active" as const, "draining" as const),
      })
      .map(({ vcpus, gib, zone, hasImage, isUsable, admin }) =>
        aHost(
          name,
          {
            capacity: { vcpuMillis: vcpus * 1000, memoryMib: gib * 1024, diskMib: gib * 4096 },
            labels: { zone },
            drivers: [{ kind: "vm", isUsable: isUsable || hasImage, detail: "test" }],
            pools: [
              {
                name: "p1",
                totalBytes: 1e12,
                freeBytes: 1e11,
                artifacts: hasImage ? [anImage().disk.digest] : [],
              },
            ],
          },
          { admin },
        ),
      );

  const requestArb = fc
    .record({
      fleet: fc.constantFrom("batch", "desk", "web"),
      vcpus: fc.integer({ min: 1, max: 3 }),
      memoryMib: fc.integer({ min: 1, max: 2048 }),
      diskMib: fc.integer({ min: 0, max: 4096 }),
      strategy: fc.constantFrom("spread" as const, "pack" as const),
      zone: fc.option(fc.constantFrom("a", "b"), { nil: undefined }),
      apart: fc.option(fc.constantFrom("batch", "desk", "web"), { nil: undefined, freq: 5 }),
      hostPort: fc.option(fc.constantFrom("80/tcp", "443/tcp"), { nil: undefined, freq: 5 }),
      hasImage: fc.boolean(),
    })
    .map((one) => {
      const { vcpus, memoryMib, diskMib, strategy, zone, apart, hostPort } = one;
      const inZone = { label: "zone", operator: "in", values: [zone ?? "a"] } as const;
      return aRequest({
        fleet: fleetName(one.fleet),
        image: one.hasImage ? anImage() : undefined,
        resources: { vcpuMillis: vcpus * 1000, memoryMib, diskMib },
        placement: aPlacement({ strategy, constraints: zone === undefined ? [] : [inZone] }),
        apartFrom: new Set(apart === undefined ? [] : [fleetName(apart)]),
        hostPorts: hostPort === undefined ? [] : [hostPort],
      });
    });

  const score = (host: HostLoad, request: PlaceRequest): number =>
    (request.placement.strategy === "pack" ? pack(host) : spread(host)) + imageHere(host, request);

  test("the host that is chosen is admitted by every rule and none has a better score", () => {
    const views = fc.tuple(...["h1", "h2", "h3", "h4", "h5"].map(viewArb));
    // A few distinct requests, each asked several times and in between others.
    const asked = fc
      .array(requestArb, { minLength: 1, maxLength: 4 })
      .chain((requests) => fc.array(fc.constantFrom(...requests), { maxLength: 25 }));
    fc.assert(
      fc.property(views, asked, (hosts, requests) => {
        const cluster = new Cluster(hosts, NO_OVERCOMMIT);
        for (const request of requests) {
          const result = place(cluster, request);
          const admitting = cluster.hosts.filter((host) =>
            RULES.every((rule) => rule.admits(host, request)),
          );
          if (result.kind === "wait") {
            expect(admitting).toEqual([]);
            const counted = result.refusals.reduce((sum, { hosts: count }) => sum + count, 0);
            expect(counted).toBe(cluster.hosts.length);
            expect(result.refusals.every(({ text }) => text.length > 0)).toBe(true);
            continue;
          }
          expect(admitting).toContain(result.host);
          const best = Math.max(...admitting.map((host) => score(host, request)));
          expect(score(result.host, request)).toBeCloseTo(best, 12);
          cluster.claim(result.host, request, "all");
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("each rule", () => {
  const rule = (name: string) => {
    const found = RULES.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no rule ${name}`);
    return found;
  };
  const load = (view: HostView): HostLoad => new HostLoad(view, { vcpu: 2, memory: 1, disk: 1 });
  const image = anImage({ boot: { kind: "disk" } });
  const constraint = (operator: "in" | "notIn" | "exists" | "notExists") =>
    aRequest({
      placement: aPlacement({ constraints: [{ label: "zone", operator, values: ["a"] }] }),
    });
  const inA = load(aHost("h1", { labels: { zone: "a" } }));
  const inB = load(aHost("h2", { labels: { zone: "b" } }));
  const bare = load(aHost("h3"));
  const busy = load(aHost("h4"));
  busy.claimRun({
    fleet: fleetName("db"),
    resources: { vcpuMillis: 15_500, memoryMib: 8000, diskMib: 0 },
    hostPorts: ["80/tcp"],
  });
  busy.claimDisk({
    fleet: fleetName("db"),
    resources: { vcpuMillis: 0, memoryMib: 0, diskMib: 102_000 },
    hostPorts: [],
  });
  busy.entries = 2000;
  const broken = load(
    aHost("h5", {
      drivers: [{ kind: "vm", isUsable: false, detail: "libvirtd does not answer" }],
      pools: [{ name: "p1", totalBytes: 1e9, freeBytes: 1e8, artifacts: [] }],
    }),
  );

  const cases: readonly [string, PlaceRequest, HostLoad[], HostLoad[], string][] = [
    [
      "driver",
      aRequest(),
      [bare],
      [broken],
      "needs a usable vm driver; h5: libvirtd does not answer",
    ],
    [
      "labels",
      constraint("in"),
      [inA],
      [inB, bare],
      "needs a host with label zone in (a); not so are h2, h3",
    ],
    [
      "labels",
      constraint("notIn"),
      [inB, bare],
      [inA],
      "needs a host with label zone not in (a); not so are h1",
    ],
    [
      "labels",
      constraint("exists"),
      [inA, inB],
      [bare],
      "needs a host with a label zone; not so are h3",
    ],
    [
      "labels",
      constraint("notExists"),
      [bare],
      [inA, inB],
      "needs a host with no label zone; not so are h1, h2",
    ],
    ["vcpu", aRequest(), [bare], [busy], "needs 1 vCPUs; the most that is free is 0.5 on h4"],
    [
      "memory",
      aRequest(),
      [bare],
      [busy],
      "needs 1024 MiB of memory; the most that is free is 192 MiB on h4",
    ],
    [
      "disk",
      aRequest(),
      [bare],
      [busy],
      "needs 1024 MiB of disk; the most that is free is 400 MiB on h4",
    ],
    [
      "apart-from",
      aRequest({ apartFrom: new Set([fleetName("db"), fleetName("web")]) }),
      [bare],
      [busy],
      "needs a host without instances of db; they are on h4",
    ],
    [
      "host-port",
      aRequest({ hostPorts: ["443/tcp", "80/tcp"] }),
      [bare],
      [busy],
      "needs port 80/tcp of the host; it is taken on h4",
    ],
    [
      "image",
      aRequest(),
      [bare],
      [broken],
      "needs 400 MiB in a pool for image debian12; the most that is free is 95 MiB on h5",
    ],
    [
      "image",
      aRequest({ image: { ...image, disk: { ...image.disk, url: "ftp://elsewhere/d12" } } }),
      [],
      [bare],
      "needs image debian12, not there on h3 and not fetchable from ftp://elsewhere/d12",
    ],
    [
      "orders-limit",
      aRequest(),
      [bare],
      [busy],
      "needs a host with fewer than 2000 instances; as many are on h4",
    ],
  ];

  test.each(cases)(
    "%s admits, refuses, and says what would help",
    (name, request, yes, no, text) => {
      const { admits: admitsOne, explain } = rule(name);
      expect(yes.filter((host) => !admitsOne(host, request))).toEqual([]);
      expect(no.filter((host) => admitsOne(host, request))).toEqual([]);
      expect(explain(no, request)).toBe(text);
    },
  );

  test("a container needs no image, and one without a disk fits where none is free", () => {
    const resources = { vcpuMillis: 100, memoryMib: 1, diskMib: 0 };
    const request = aRequest({ image: undefined, resources });
    expect(rule("image").admits(broken, request)).toBe(true);
    expect(rule("disk").admits(busy, request)).toBe(true);
  });

  test.each([
    ["lost", { liveness: "lost" as const }],
    ["not heard of yet", { liveness: "unknown" as const }],
    ["draining", { admin: "draining" as const }],
    ["without a report", { report: undefined }],
  ])("host refuses one that is %s", (why, over) => {
    const host = load(aHost("h1", {}, over));
    expect(rule("host").admits(host, aRequest())).toBe(false);
    expect(rule("host").explain([host], aRequest())).toContain(`h1 is ${why}`);
  });
});

test("what is claimed and released leaves no trace", () => {
  const host = new HostLoad(aHost("h1"), NO_OVERCOMMIT);
  const fresh = JSON.stringify(host);
  const claim = aRequest({ hostPorts: ["80/tcp"] });
  host.claimRun(claim);
  host.claimDisk(claim);
  expect(host.hasHostPort("80/tcp")).toBe(true);
  expect(admits(host, aRequest({ hostPorts: ["80/tcp"] }))).toBe(false);
  host.releaseRun(claim);
  host.releaseDisk(claim);
  expect(JSON.stringify(host)).toBe(fresh);
  expect(host.hasFleet(claim.fleet)).toBe(false);
  expect(host.load).toBe(0);
});

test("an image with a kernel needs each of its files", () => {
  const kernel = { url: "https://images.example/vmlinuz", digest: digest("e1"), sizeBytes: 8e6 };
  const image = anImage({ boot: { kind: "kernel", kernel, initrd: undefined, cmdline: "" } });
  const pools = [{ name: "p1", totalBytes: 1e9, freeBytes: 1e6, artifacts: [image.disk.digest] }];
  const host = new HostLoad(aHost("h1", { pools }), NO_OVERCOMMIT);
  expect(explainRefusals([host], aRequest({ image })).map(({ rule }) => rule)).toEqual(["image"]);
});
