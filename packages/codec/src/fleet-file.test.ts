import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fleetFileJsonSchema } from "./file-schema.ts";
import {
  describeFileProblem,
  parseFleetFile,
  parseFleetFiles,
  resolveBuild,
} from "./fleet-file.ts";
import { sha256, templateDigest } from "./index.ts";

const parse = (text: string) => {
  const parsed = parseFleetFile({ file: "/srv/school.yaml", text });
  if (parsed.kind === "invalid")
    throw new Error(parsed.problems.map(describeFileProblem).join("\n"));
  return parsed.fleets;
};

const problemsOf = (...files: { file: string; text: string }[]) => {
  const parsed = parseFleetFiles(files);
  return parsed.kind === "ok" ? [] : parsed.problems.map(describeFileProblem);
};

const VM = `
name: school-linux
replicas: 4
labels: {course: linux}
vm:
  image: debian-12
  userData: |
    #cloud-config
    hostname: x
  readyWhenConsoleShows: {text: EVM-GUEST-UP, timeout: 2m}
resources: {vcpus: 2, memoryMib: 96, diskGib: 1.5}
placement:
  constraints: [{label: zone, in: [a, b]}, {label: gpu, exists: true}, {label: old, exists: false}]
  strategy: pack
  apartFrom: [other]
restart: {policy: on-failure, maxRestarts: 2, window: 1h, backoff: 500ms, maxBackoff: 1m}
update: {maxUnavailable: 0, maxSurge: 2, failureThreshold: 2, onFailure: rollback}
onHostLoss: wait
onIsolation: stop
`;

const CONTAINER = `
name: school-web
container:
  image: evm/busybox:1
  command: [httpd, -f, -p, "8080"]
  environment: {GREETING: hello}
  ports: [{container: 8080}, "8081:80", "53/udp", 443]
  healthCheck: {command: [wget, -q, -O-, http://127.0.0.1:8080/], interval: 2s, timeout: 1s}
resources: {vcpus: 0.07, memoryMib: 32}
`;

describe("a fleet file", () => {
  test("of a VM becomes the fleet that it describes", () => {
    expect(parse(VM)).toEqual([
      {
        kind: "complete",
        name: "school-linux",
        spec: {
          name: "school-linux",
          replicas: 4,
          labels: { course: "linux" },
          template: {
            kind: "vm",
            image: "debian-12",
            userData: "#cloud-config\nhostname: x\n",
            readiness: { text: "EVM-GUEST-UP", timeoutMs: 120_000 },
            resources: { vcpuMillis: 2_000, memoryMib: 96, diskMib: 1_536 },
          },
          placement: {
            constraints: [
              { label: "zone", operator: "in", values: ["a", "b"] },
              { label: "gpu", operator: "exists", values: [] },
              { label: "old", operator: "notExists", values: [] },
            ],
            strategy: "pack",
            apartFrom: ["other"],
          },
          restart: {
            mode: "on-failure",
            maxRestarts: 2,
            windowMs: 3_600_000,
            backoffMs: 500,
            maxBackoffMs: 60_000,
          },
          update: {
            maxUnavailable: 0,
            maxSurge: 2,
            failureThreshold: 2,
            onFailure: "rollback",
          },
          onHostLoss: "wait",
          onIsolation: "stop",
        },
      },
    ]);
  });

  test("of a container gets the documented defaults", () => {
    const [fleet] = parse(CONTAINER);
    expect(fleet).toEqual({
      kind: "complete",
      name: "school-web",
      spec: {
        name: "school-web",
        replicas: 1,
        labels: {},
        template: {
          kind: "container",
          source: { kind: "image", reference: "evm/busybox:1" },
          command: ["httpd", "-f", "-p", "8080"],
          environment: { GREETING: "hello" },
          ports: [
            { containerPort: 8_080, protocol: "tcp" },
            { containerPort: 80, hostPort: 8_081, protocol: "tcp" },
            { containerPort: 53, protocol: "udp" },
            { containerPort: 443, protocol: "tcp" },
          ],
          healthCheck: {
            command: ["wget", "-q", "-O-", "http://127.0.0.1:8080/"],
            intervalMs: 2_000,
            timeoutMs: 1_000,
            retries: 3,
            startPeriodMs: 0,
          },
          resources: { vcpuMillis: 70, memoryMib: 32, diskMib: 1_024 },
        },
        placement: { constraints: [], strategy: "spread", apartFrom: [] },
        restart: {
          mode: "always",
          maxRestarts: 5,
          windowMs: 600_000,
          backoffMs: 1_000,
          maxBackoffMs: 60_000,
        },
        update: { maxUnavailable: 1, maxSurge: 0, failureThreshold: 1, onFailure: "pause" },
        onHostLoss: "restart",
        onIsolation: "keep",
      },
    });
  });

  test.each([
    ["build: ./web", { folder: "/srv/web", dockerfile: "Dockerfile" }],
    [
      "build: {context: /abs, dockerfile: prod/Dockerfile}",
      { folder: "/abs", dockerfile: "prod/Dockerfile" },
    ],
  ])("with %j names the folder to pack, and is complete with its digest", (build, buildContext) => {
    const [fleet] = parse(CONTAINER.replace("image: evm/busybox:1", build));
    if (fleet?.kind !== "build") throw new Error("expected a build");
    expect(fleet.buildContext).toEqual(buildContext);
    const context = sha256("packed");
    const { dockerfile } = buildContext;
    expect(resolveBuild(fleet, context)).toMatchObject({
      name: "school-web",
      template: {
        source: { kind: "build", context, dockerfile },
        command: ["httpd", "-f", "-p", "8080"],
      },
    });
  });

  test("holds any number of documents, some of them empty, with anchors and merges", () => {
    const fleets = parse(`
---
# nothing here
---
name: a
vm: &vm {image: micro}
resources: &small {memoryMib: 64}
---
name: b
vm: {image: micro}
resources:
  <<: &base {vcpus: 2, memoryMib: 1}
  memoryMib: 128
labels: {one: &text hello, two: *text}
`);
    expect(fleets.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(fleets[1]).toMatchObject({
      spec: {
        template: { resources: { vcpuMillis: 2_000, memoryMib: 128 } },
        labels: { one: "hello", two: "hello" },
      },
    });
  });

  test("of the tour is good", () => {
    const file = join(import.meta.dirname, "..", "..", "..", "deploy/examples/school.yaml");
    const parsed = parseFleetFile({ file, text: readFileSync(file, "utf8") });
    expect(parsed).toMatchObject({
      kind: "ok",
      fleets: [
        { kind: "complete", name: "school-linux", spec: { replicas: 4 } },
        { kind: "complete", name: "school-exam", spec: { replicas: 2 } },
        { kind: "complete", name: "school-web", spec: { replicas: 6 } },
        { kind: "build", name: "school-build", fleet: { replicas: 2 } },
      ],
    });
  });

  test("may be JSON", () => {
    const text = JSON.stringify({ name: "a", vm: { image: "m" }, resources: { memoryMib: 64 } });
    expect(parse(text).map(({ name }) => name)).toEqual(["a"]);
  });
});

const IMAGE_NAME = "1 to 63 characters of a-z 0-9 . -, starting and ending in a letter or digit";

/** A good file with one line changed; problems begin with where they are. */
const changed = (from: string, to: string, base = VM) => base.replace(from, to).trim();

const BAD_FILES: readonly (readonly [text: string, problem: string])[] = [
  [
    changed("replicas: 4", "replicas: four"),
    '2:11: replicas: "four"; expected a whole number from 0 to 100000',
  ],
  [
    changed("replicas: 4", "replcas: 4"),
    '2:1: replcas: "replcas"; expected a known field: name, replicas, labels, vm, container, ' +
      "resources, placement, restart, update, onHostLoss, onIsolation (did you mean replicas?)",
  ],
  [
    changed("name: school-linux", "name: School"),
    '1:7: name: "School"; expected 1 to 40 characters of a-z 0-9 -, not starting or ending in -',
  ],
  [
    changed("timeout: 2m", "timeout: 2 minutes"),
    '9:56: vm.readyWhenConsoleShows.timeout: "2 minutes"; ' +
      "expected a duration like 500ms, 10s, 2m or 1h, at most 30d",
  ],
  [
    changed("vcpus: 2", "vcpus: 1.5"),
    "10:20: resources.vcpus: 1.5; expected a whole number: VMs have whole virtual CPUs",
  ],
  [
    changed(", memoryMib: 96", ""),
    "10:12: resources.memoryMib: nothing; expected a whole number from 1 to 4294967295",
  ],
  [
    changed("in: [a, b]", "in: []"),
    "12:35: placement.constraints[0].in: []; expected at least one value",
  ],
  [
    changed(", exists: false", ""),
    '12:72: placement.constraints[2]: {"label":"old"}; expected exactly one of in, notIn, exists',
  ],
  [
    changed("maxBackoff: 1m", "maxBackoff: 1ms"),
    '15:87: restart.maxBackoff: "1ms"; expected at least as long as backoff',
  ],
  [
    changed("onHostLoss: wait", "onHostLoss: panic"),
    '17:13: onHostLoss: "panic"; expected one of restart, wait',
  ],
  [
    changed("onHostLoss: wait", "sandbox: {image: alpine}"),
    '17:1: sandbox: "sandbox"; expected vm or container; sandbox is not supported yet',
  ],
  [
    changed("maxSurge: 2, ", ""),
    "16:26: update.maxUnavailable: 0; expected at least 1, or 0 with a maxSurge of at least 1",
  ],
  [
    changed("failureThreshold: 2", "failureThreshold: 3"),
    "16:60: update.failureThreshold: 3; " +
      "expected at most maxUnavailable and maxSurge together: no more fail at once",
  ],
  [
    changed('"8080"', "8080", CONTAINER),
    "4:28: container.command[3]: 8080; " +
      'expected a text; numbers and true or false need quotes: "8080"',
  ],
  [
    changed("443", "{container: 80, hots: 1}", CONTAINER),
    '6:67: container.ports[3].hots: "hots"; ' +
      "expected a known field: container, host, protocol (did you mean host?)",
  ],
  [
    changed('"8081:80"', '"80:http"', CONTAINER),
    '6:30: container.ports[1]: "80:http"; ' +
      'expected a port: 8080, "8081:80", "53:53/udp" or {container: 80, host: 8081, protocol: tcp}',
  ],
  [
    changed("GREETING", "MY GREETING", CONTAINER),
    '5:17: container.environment.MY GREETING: "MY GREETING"; ' +
      "expected the name of a variable: A-Z a-z 0-9 _, not starting with a digit",
  ],
  [
    "labels: {a: b",
    '1:14: "labels: {a: b"; expected valid YAML ' +
      "(Flow map in block collection must be sufficiently indented and end with a })",
  ],
  [
    changed("replicas: 4", "name: other"),
    '2:1: "name: other"; expected valid YAML (Map keys must be unique)',
  ],
  ["", "1:1: nothing; expected at least one fleet"],
  ["- a", '1:1: ["a"]; expected a fleet: name, vm or container, resources, …'],
  ["just words", '1:1: "just words"; expected a fleet: name, vm or container, resources, …'],
];

describe("what is wrong is named with line, column, field, value and what was expected", () => {
  test.each(BAD_FILES.map(([text, problem]) => ({ text, problem })))(
    "$problem",
    ({ text, problem }) => {
      expect(problemsOf({ file: "f", text })).toEqual([`f:${problem}`]);
    },
  );

  test("all at once, in reading order, over documents and files", () => {
    const first = "name: a\nvm: {image: I}\nresources: {vcpus: 0.5, memoryMib: 0}\n---\nname: b\n";
    const second = "name: c\nreplicas: -1\nvm: {}\ncontainer: {}\nresources: {memoryMib: 1}";
    expect(problemsOf({ file: "x", text: first }, { file: "y", text: second })).toEqual([
      `x:2:13: vm.image: "I"; expected ${IMAGE_NAME}`,
      "x:3:20: resources.vcpus: 0.5; expected a whole number: VMs have whole virtual CPUs",
      "x:3:36: resources.memoryMib: 0; expected a whole number from 1 to 4294967295",
      "x:5:1: resources: nothing; expected resources: vcpus, memoryMib, diskGib",
      'x:5:1: {"name":"b"}; expected exactly one of vm, container',
      'y:1:1: {"name":"c","replicas":-1,"vm":{},"container":{},"resources":{"memoryMib":1}}; ' +
        "expected exactly one of vm, container",
      "y:2:11: replicas: -1; expected a whole number from 0 to 100000",
      `y:3:5: vm.image: nothing; expected ${IMAGE_NAME}`,
      "y:4:12: container: {}; expected exactly one of image, build",
    ]);
  });

  test("a name given twice, in one file or in two", () => {
    const text = "name: a\nvm: {image: m}\nresources: {memoryMib: 1}\n";
    expect(problemsOf({ file: "x", text: `${text}---\n${text}` }, { file: "y", text })).toEqual([
      'x:5:7: name: "a"; expected another name: x:1 has a fleet of this one',
      'y:1:7: name: "a"; expected another name: x:1 has a fleet of this one',
    ]);
  });

  test("aliases that multiply without end", () => {
    const levels = Array.from({ length: 9 }, (_, level) => {
      const items =
        level === 0
          ? "x"
          : Array(9)
              .fill(`*l${level - 1}`)
              .join(", ");
      return `l${level}: &l${level} [${items}]`;
    });
    expect(problemsOf({ file: "f", text: levels.join("\n") })).toEqual([
      'f:1:1: "l0: &l0 [x]"; expected valid YAML ' +
        "(Excessive alias count indicates a resource exhaustion attack)",
    ]);
  });
});

test("a template's digest depends on its content and not on the order of its fields", () => {
  const [fleet] = parse(VM);
  if (fleet?.kind !== "complete") throw new Error("expected a complete fleet");
  const { template } = fleet.spec;
  const reversed = Object.fromEntries(Object.entries(template).reverse()) as typeof template;
  expect(templateDigest(reversed, undefined)).toBe(templateDigest(template, undefined));
  // Changing how digests are made replaces every instance of every fleet: never by accident.
  expect(templateDigest(template, undefined)).toBe(
    "sha256:40fed64e94afcce32f3b667aff43c620677461044fc85ea9ce03eed3c62c53f8",
  );
});

test("the schema for editors knows every field, its defaults and what it is for", () => {
  expect(fleetFileJsonSchema()).toMatchObject({
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "EVM fleet",
    additionalProperties: false,
    required: ["name", "resources"],
    oneOf: [{ required: ["vm"] }, { required: ["container"] }],
    properties: {
      replicas: { type: "integer", default: 1, description: "How many instances." },
      onHostLoss: { enum: ["restart", "wait"], default: "restart" },
      restart: { properties: { window: { type: "string", default: "10m" } } },
    },
  });
});
