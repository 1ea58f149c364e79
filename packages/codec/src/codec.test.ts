import { create, toJson } from "@bufbuild/protobuf";
import type {
  ClusterExport,
  ContainerTemplate,
  FleetRecord,
  FleetSpec,
  HostRecord,
  Image,
  Observed,
  Orders,
  Report,
  Resources,
  StoredEvent,
  Template,
  VmTemplate,
} from "@evm/fleet";
import { FleetSpecSchema, OrdersSchema, Phase, type Strategy } from "@evm/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Codec,
  CodecError,
  clusterExportCodec,
  describeProblem,
  driverStatusCodec,
  epochHolderCodec,
  eventCodec,
  fleetRecordCodec,
  fleetSpecCodec,
  formatExport,
  heartbeatCodec,
  hostRecordCodec,
  imageCodec,
  leaseGrantCodec,
  ordersCodec,
  parseExport,
  phaseEnum,
  pingCodec,
  planCodec,
  poolStatusCodec,
  type Restored,
  reportCodec,
  resourcesCodec,
  restoredCodec,
  sha256,
  storedEventCodec,
  templateDigest,
} from "./index.ts";

/** Brands are checked by `decode`; here their texts are made so that they hold. */
const branded = <T extends string>(arbitrary: fc.Arbitrary<string>) => arbitrary as fc.Arbitrary<T>;

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
const fleet = branded<FleetSpec["name"]>(label);
const host = branded<Orders["host"]>(label);
const agent = branded<Report["agent"]>(label);
const imageName = branded<Image["name"]>(fc.stringMatching(/^[a-z]([a-z0-9.-]{0,10}[a-z0-9])?$/));
const digest = fc.string().map(sha256);
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const uint64 = fc.maxSafeNat();
const positive = fc.integer({ min: 1, max: 1_000_000 });
const durationMs = fc.integer({ min: 0, max: 30 * 24 * 3_600_000 });
const text = fc.string({ unit: "grapheme" });
const filledText = fc.string({ minLength: 1 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const labels = fc.dictionary(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,10}$/), text, {
  noNullPrototype: true,
});

const resources = fc.record<Resources>({
  vcpuMillis: positive,
  memoryMib: positive,
  diskMib: uint32,
});
const wholeVcpus = resources.map((found) => ({ ...found, vcpuMillis: found.vcpuMillis * 1_000 }));

const vm = fc.record<VmTemplate>({
  kind: fc.constant("vm"),
  resources: wholeVcpus,
  image: imageName,
  userData: maybe(text),
  readiness: maybe(fc.record({ text: filledText, timeoutMs: durationMs })),
});

const container = fc.record<ContainerTemplate>({
  kind: fc.constant("container"),
  resources,
  source: fc.oneof(
    fc.record({ kind: fc.constant("image" as const), reference: filledText }),
    fc.record({ kind: fc.constant("build" as const), context: digest, dockerfile: filledText }),
  ),
  command: fc.array(text),
  environment: fc.dictionary(fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,9}$/), text, {
    noNullPrototype: true,
  }),
  ports: fc.array(
    fc.record({
      containerPort: fc.integer({ min: 1, max: 65_535 }),
      hostPort: maybe(fc.integer({ min: 1, max: 65_535 })),
      protocol: fc.constantFrom("tcp", "udp"),
    }),
  ),
  healthCheck: maybe(
    fc.record({
      command: fc.array(text, { minLength: 1 }),
      intervalMs: fc.integer({ min: 100, max: 100_000 }),
      timeoutMs: fc.integer({ min: 100, max: 100_000 }),
      retries: fc.integer({ min: 1, max: 1_000 }),
      startPeriodMs: durationMs,
    }),
  ),
});

const template = fc.oneof<fc.Arbitrary<Template>[]>(vm, container);

const restart = fc
  .record({
    mode: fc.constantFrom("always", "on-failure", "never"),
    maxRestarts: uint32,
    windowMs: durationMs,
    backoffMs: durationMs,
    maxBackoffMs: durationMs,
  })
  .map((found): FleetSpec["restart"] => ({
    ...found,
    backoffMs: Math.min(found.backoffMs, found.maxBackoffMs),
  }));

const constraint = fc.oneof(
  fc.record({
    label: fc.constant("zone"),
    operator: fc.constantFrom("in" as const, "notIn" as const),
    values: fc.array(text, { minLength: 1 }),
  }),
  fc.record({
    label: fc.constant("gpu"),
    operator: fc.constantFrom("exists" as const, "notExists" as const),
    values: fc.constant([]),
  }),
);

const spec = fc.record<FleetSpec>({
  name: fleet,
  replicas: fc.integer({ min: 0, max: 100_000 }),
  labels,
  template,
  placement: fc.record({
    constraints: fc.array(constraint),
    strategy: fc.constantFrom("spread", "pack"),
    apartFrom: fc.array(fleet),
  }),
  restart,
  update: fc
    .record<FleetSpec["update"]>({
      maxUnavailable: positive,
      maxSurge: fc.integer({ min: 0, max: 1_000 }),
      failureThreshold: positive,
      onFailure: fc.constantFrom("pause", "rollback"),
    })
    .map((one) => ({
      ...one,
      failureThreshold: Math.min(one.failureThreshold, one.maxUnavailable + one.maxSurge),
    })),
  onHostLoss: fc.constantFrom("restart", "wait"),
  onIsolation: fc.constantFrom("keep", "stop"),
});

const artifact = fc.record({
  url: fc.constantFrom("file:///var/lib/images/micro", "https://images.example/a?b=c"),
  digest,
  sizeBytes: uint64,
});

const image = fc.record<Image>({
  name: imageName,
  osFamily: fc.constantFrom("linux", "windows"),
  disk: artifact,
  diskFormat: fc.constantFrom("qcow2", "raw"),
  boot: fc.oneof(
    fc.record({ kind: fc.constant("disk" as const) }),
    fc.record({
      kind: fc.constant("kernel" as const),
      kernel: artifact,
      initrd: maybe(artifact),
      cmdline: text,
    }),
  ),
});

const instance = branded<Observed["name"]>(label.map((name) => `${name}-0007`));
const identity = { name: instance, fleet, index: uint32, incarnation: positive };

const orders = fc.record<Orders>({
  host,
  agent: maybe(agent),
  epoch: uint64,
  generation: uint64,
  templates: fc.array(fc.record({ digest, template, image: maybe(image) }), { maxLength: 3 }),
  fleets: fc.array(
    fc.record({ name: fleet, restart, onIsolation: fc.constantFrom("keep", "stop") }),
    { maxLength: 3 },
  ),
  instances: fc.array(
    fc.record({
      ...identity,
      template: digest,
      desired: fc.constantFrom("run", "stop", "discard"),
    }),
  ),
});

const driver = fc.record<Report["drivers"][number]>({
  kind: fc.constantFrom("vm", "container"),
  isUsable: fc.boolean(),
  detail: text,
});

const pool = fc.record<Report["pools"][number]>({
  name: filledText,
  totalBytes: uint64,
  freeBytes: uint64,
  artifacts: fc.array(digest, { maxLength: 3 }),
});

const report = fc.record<Report>({
  host,
  agent,
  reportedAt: uint64,
  epoch: uint64,
  generation: uint64,
  labels,
  capacity: fc.record({ vcpuMillis: uint32, memoryMib: uint32, diskMib: uint32 }),
  drivers: fc.array(driver, { maxLength: 2 }),
  pools: fc.array(pool, { maxLength: 2 }),
  instances: fc.array(
    fc.record<Observed>({
      ...identity,
      kind: fc.constantFrom("vm", "container"),
      template: digest,
      phase: fc.constantFrom("preparing", "starting", "running", "ready", "stopped", "failed"),
      since: uint64,
      restarts: uint32,
      reason: maybe(text),
      exit: maybe(fc.constantFrom("success" as const, "failure" as const)),
      address: maybe(text),
    }),
    { maxLength: 5 },
  ),
});

const record = fc.record<FleetRecord>({
  spec,
  image: maybe(image),
  template: digest,
  state: fc.constantFrom("active", "deleting"),
  wishes: fc.array(fc.record({ index: uint32, isStopped: fc.boolean(), minIncarnation: uint32 })),
  rollout: fc.record({
    state: fc.oneof(
      fc.record({ kind: fc.constantFrom("done" as const, "going" as const) }),
      fc.record({
        kind: fc.constantFrom("paused" as const, "halted" as const),
        reason: filledText,
      }),
    ),
    previous: maybe(fc.record({ digest, template, image: maybe(image) })),
    rolledBackBecause: maybe(filledText),
    knownFailures: fc.array(uint32),
  }),
});

const event = fc.record<StoredEvent["event"]>({
  at: uint64,
  source: filledText,
  severity: fc.constantFrom("info", "warning", "error"),
  reason: filledText,
  fleet: maybe(filledText),
  instance: maybe(filledText),
  host: maybe(filledText),
  text,
});

const plan = fc.record({
  actions: fc.array(
    fc.record({
      kind: fc.constantFrom("create" as const, "move" as const, "forget" as const),
      instance,
      fleet,
      incarnation: positive,
      host,
      from: maybe(host),
      reason: text,
      wave: uint32,
    }),
  ),
  waiting: fc.array(
    fc.record({
      instance,
      fleet,
      reason: text,
      refusals: fc.array(fc.record({ rule: filledText, hosts: uint32, text })),
    }),
  ),
  notes: fc.array(text),
});

const hostRecord = fc.record<HostRecord>({
  name: host,
  admin: fc.constantFrom("active", "cordoned", "draining"),
  confirmedLost: maybe(uint64),
});

const clusterExport = fc.record<ClusterExport>({
  exportedAt: uint64,
  epoch: uint64,
  revision: uint64,
  fleets: fc.array(record, { maxLength: 3 }),
  images: fc.array(image, { maxLength: 3 }),
  hosts: fc.array(hostRecord, { maxLength: 3 }),
});

const restored = fc.record<Restored>({
  fleets: fc.array(
    fc.record({
      name: fleet,
      source: fc.constantFrom("kept", "stored", "orders"),
      replicas: uint32,
      running: uint32,
    }),
  ),
  hosts: fc.array(
    fc.record({
      name: host,
      source: fc.constantFrom("answer", "stored", "new", "none"),
      epoch: uint64,
      generation: uint64,
      running: uint32,
    }),
  ),
  notes: fc.array(text),
  epochBase: uint64,
});

/** Each case keeps its own types; what runs needs none. */
const roundTrip =
  <M, W>(codec: Codec<M, W>, models: fc.Arbitrary<M>) =>
  () =>
    fc.assert(
      fc.property(models, (model) => {
        expect(codec.decode(codec.encode(model))).toEqual(model);
        expect(codec.fromWire(codec.toWire(model))).toEqual(model);
      }),
      { numRuns: 60 },
    );

describe("what is written to the wire is read back as it was", () => {
  test("fleets", roundTrip(fleetSpecCodec, spec));
  test("images", roundTrip(imageCodec, image));
  test("resources", roundTrip(resourcesCodec, resources));
  test("orders", roundTrip(ordersCodec, orders));
  test("reports", roundTrip(reportCodec, report));
  test("driver status", roundTrip(driverStatusCodec, driver));
  test("pool status", roundTrip(poolStatusCodec, pool));
  test("fleet records", roundTrip(fleetRecordCodec, record));
  test("host records", roundTrip(hostRecordCodec, hostRecord));
  test("events", roundTrip(eventCodec, event));
  test("stored events", roundTrip(storedEventCodec, fc.record({ sequence: uint64, event })));
  test(
    "heartbeats",
    roundTrip(heartbeatCodec, fc.record({ host, agent, epoch: uint64, generation: uint64 })),
  );
  test("leases", roundTrip(leaseGrantCodec, fc.record({ epoch: uint64, leaseMs: uint32 })));
  test("pings", roundTrip(pingCodec, fc.record({ epoch: uint64, leader: filledText })));
  test("plans", roundTrip(planCodec, plan));
  test("exports", roundTrip(clusterExportCodec, clusterExport));
  test("what a restore made", roundTrip(restoredCodec, restored));
  test("exports as files", () => {
    fc.assert(
      fc.property(clusterExport, (value) => {
        const fleets = value.fleets.map((one) => ({
          ...one,
          template: templateDigest(one.spec.template, one.image),
        }));
        const exported = { ...value, fleets, exportedAt: value.exportedAt % 1e14 };
        const text = formatExport(exported);
        expect(parseExport({ file: "x.yaml", text })).toEqual(exported);
      }),
      { numRuns: 30 },
    );
  });
  test("epochs' holders", () => {
    const leader = fc.stringMatching(/^[A-Za-z0-9_-]+$/);
    fc.assert(
      fc.property(fc.record({ leader, base: uint64 }), (holder) => {
        expect(epochHolderCodec.decode(epochHolderCodec.encode(holder))).toEqual(holder);
      }),
    );
  });
});

const failure = (read: () => unknown): CodecError => {
  try {
    read();
  } catch (error) {
    if (error instanceof CodecError) return error;
  }
  throw new Error("expected a CodecError");
};

test("an epoch without a base is the leader's name, as it always was", () => {
  const decode = (text: string) => epochHolderCodec.decode(new TextEncoder().encode(text));
  expect(decode("c1")).toEqual({ leader: "c1", base: 0 });
  expect(new TextDecoder().decode(epochHolderCodec.encode({ leader: "c1", base: 0 }))).toBe("c1");
  for (const bad of ["", "c1 x", "c1 1 2"]) {
    expect(failure(() => decode(bad)).message).toMatch(/^epoch: /);
  }
});

test("a fleet on the wire is spelled as its contract says", () => {
  const web: FleetSpec = {
    name: "school-web" as FleetSpec["name"],
    replicas: 6,
    labels: { course: "linux" },
    template: {
      kind: "container",
      resources: { vcpuMillis: 100, memoryMib: 32, diskMib: 1_024 },
      source: { kind: "build", context: sha256(""), dockerfile: "Dockerfile" },
      command: ["httpd"],
      environment: { GREETING: "hello" },
      ports: [{ containerPort: 53, hostPort: 5_353, protocol: "udp" }],
      healthCheck: {
        command: ["true"],
        intervalMs: 2_000,
        timeoutMs: 1_000,
        retries: 3,
        startPeriodMs: 0,
      },
    },
    placement: {
      constraints: [{ label: "zone", operator: "notIn", values: ["a"] }],
      strategy: "pack",
      apartFrom: [],
    },
    restart: {
      mode: "on-failure",
      maxRestarts: 5,
      windowMs: 600_000,
      backoffMs: 1_000,
      maxBackoffMs: 60_000,
    },
    update: { maxUnavailable: 1, maxSurge: 0, failureThreshold: 1, onFailure: "pause" },
    onHostLoss: "wait",
    onIsolation: "stop",
  };
  expect(toJson(FleetSpecSchema, fleetSpecCodec.toWire(web))).toEqual({
    name: "school-web",
    replicas: 6,
    labels: { course: "linux" },
    template: {
      resources: { vcpuMillis: 100, memoryMib: 32, diskMib: 1_024 },
      container: {
        build: {
          contextDigest: "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
          dockerfile: "Dockerfile",
        },
        command: ["httpd"],
        environment: { GREETING: "hello" },
        ports: [{ containerPort: 53, hostPort: 5_353, protocol: "PROTOCOL_UDP" }],
        healthCheck: { command: ["true"], intervalMs: 2_000, timeoutMs: 1_000, retries: 3 },
      },
    },
    placement: {
      constraints: [{ label: "zone", operator: "OPERATOR_NOT_IN", values: ["a"] }],
      strategy: "STRATEGY_PACK",
    },
    restart: {
      mode: "RESTART_MODE_ON_FAILURE",
      maxRestarts: 5,
      windowMs: 600_000,
      backoffMs: 1_000,
      maxBackoffMs: 60_000,
    },
    update: { maxUnavailable: 1, failureThreshold: 1, onFailure: "ON_FAILURE_PAUSE" },
    onHostLoss: "ON_HOST_LOSS_WAIT",
    onIsolation: "ON_ISOLATION_STOP",
  });
});

describe("bad content from the wire", () => {
  test("is refused with every field, its value and what was expected", () => {
    const wire = create(FleetSpecSchema, {
      name: "School",
      replicas: 200_000,
      template: {
        resources: { vcpuMillis: 1_000, memoryMib: 0, diskMib: 0 },
        kind: { case: "container", value: { command: ["a"], ports: [{ containerPort: 0 }] } },
      },
      placement: { strategy: 9 as Strategy },
      restart: { backoffMs: 10, maxBackoffMs: 5 },
      update: {},
    });
    const error = failure(() => fleetSpecCodec.fromWire(wire));
    expect(error.code).toBe("invalid");
    expect(error.problems.map(describeProblem)).toEqual([
      'name: "School"; expected 1 to 40 characters of a-z 0-9 -, not starting or ending in -',
      "replicas: 200000; expected a whole number from 0 to 100000",
      "template.resources.memoryMib: 0; expected a whole number from 1 to 4294967295",
      "template.source: nothing; expected an image or a build",
      "template.ports[0].containerPort: 0; expected a whole number from 1 to 65535",
      "placement.strategy: 9; expected one of spread, pack",
      "restart.maxBackoffMs: 5; expected at least as long as the first backoff",
      "update.maxUnavailable: 0; expected at least 1, or 0 with a maxSurge of at least 1",
    ]);
  });

  test("that is absent is refused", () => {
    expect(failure(() => imageCodec.fromWire(undefined)).message).toBe(
      "image: nothing; expected an image",
    );
  });

  test("that lacks what is required is refused", () => {
    expect(failure(() => ordersCodec.decode(new Uint8Array())).message).toBe(
      'orders: host: ""; expected 1 to 63 characters of a-z 0-9 -, not starting or ending in -',
    );
  });

  test("with numbers above 2^53 is refused rather than rounded", () => {
    const wire = create(OrdersSchema, { host: "h1", epoch: 2n ** 60n });
    expect(failure(() => ordersCodec.fromWire(wire)).problems[0]?.field).toBe("epoch");
  });

  test("that is no message at all is undecodable", () => {
    const error = failure(() => reportCodec.decode(Uint8Array.of(0xff, 0xff)));
    expect(error).toMatchObject({ code: "undecodable", isTransient: false });
  });

  test("never ends in anything but a CodecError", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        try {
          fleetRecordCodec.decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError);
        }
      }),
    );
  });
});

test("what the wire leaves out gets the documented defaults", () => {
  const wire = create(FleetSpecSchema, {
    name: "web",
    template: {
      resources: { vcpuMillis: 100, memoryMib: 32 },
      kind: { case: "container", value: { source: { case: "image", value: "busybox" } } },
    },
  });
  expect(fleetSpecCodec.fromWire(wire)).toMatchObject({
    replicas: 0,
    placement: { constraints: [], strategy: "spread", apartFrom: [] },
    restart: { mode: "always", maxRestarts: 5, windowMs: 600_000, backoffMs: 1_000 },
    update: { maxUnavailable: 1, maxSurge: 0, failureThreshold: 1, onFailure: "pause" },
    onHostLoss: "restart",
    onIsolation: "keep",
  });
});

test("a number that this version does not know is no phase", () => {
  expect(phaseEnum.fromWire(Phase.READY)).toBe("ready");
  expect(phaseEnum.fromWire(0)).toBeUndefined();
  expect(phaseEnum.fromWire(99)).toBeUndefined();
});
