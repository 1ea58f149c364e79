import type { ContainerTemplate } from "@evm/fleet";
import { expect, test } from "vitest";
import { identityOf, labelsOf } from "./container-labels.ts";
import { containerOptions } from "./container-options.ts";
import { containerSpec } from "./specs.testing.ts";

const optionsOf = (template: Partial<ContainerTemplate>) => {
  const spec = containerSpec(42, template);
  if (spec.template.kind !== "container") throw new TypeError("not a container");
  return containerOptions(spec, spec.template, { image: "busybox@sha256:1", owner: "test" });
};

test("a container is made exactly as its template says", () => {
  const options = optionsOf({
    resources: { vcpuMillis: 1500, memoryMib: 256, diskMib: 0 },
    command: ["serve", "--port", "80"],
    environment: { A: "1", B: "x=y" },
    ports: [
      { containerPort: 80, hostPort: 8080, protocol: "tcp" },
      { containerPort: 80, hostPort: undefined, protocol: "tcp" },
      { containerPort: 53, hostPort: undefined, protocol: "udp" },
    ],
    healthCheck: {
      command: ["check", "it"],
      intervalMs: 1000,
      timeoutMs: 500,
      retries: 3,
      startPeriodMs: 2000,
    },
  });
  expect(options).toEqual({
    name: "web-0042.1",
    Hostname: "web-0042",
    Image: "busybox@sha256:1",
    Cmd: ["serve", "--port", "80"],
    Env: ["A=1", "B=x=y"],
    Labels: {
      "evm.owner": "test",
      "evm.instance": "web-0042",
      "evm.incarnation": "1",
      "evm.fleet": "web",
      "evm.index": "42",
      "evm.template": `sha256:${"1".repeat(64)}`,
    },
    ExposedPorts: { "80/tcp": {}, "53/udp": {} },
    Healthcheck: {
      Test: ["CMD", "check", "it"],
      Interval: 1_000_000_000,
      Timeout: 500_000_000,
      Retries: 3,
      StartPeriod: 2_000_000_000,
    },
    HostConfig: {
      Init: true,
      NanoCpus: 1_500_000_000,
      Memory: 268_435_456,
      MemorySwap: 268_435_456,
      PidsLimit: 4096,
      SecurityOpt: ["no-new-privileges"],
      RestartPolicy: { Name: "no" },
      PortBindings: {
        "80/tcp": [{ HostPort: "8080" }, { HostPort: "" }],
        "53/udp": [{ HostPort: "" }],
      },
      LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "2" } },
    },
  });
});

test("without a command the image's own runs, and its own health check does not", () => {
  const options = optionsOf({ command: [] });
  expect(options).not.toHaveProperty("Cmd");
  expect(options.Healthcheck).toEqual({ Test: ["NONE"] });
});

test("labels that were written are read back, and anything else is not EVM's", () => {
  const spec = containerSpec(42);
  const labels = labelsOf(spec, "test");
  const { name, incarnation, fleet, index, templateDigest } = spec;
  expect(identityOf(labels, "test")).toEqual({ name, incarnation, fleet, index, templateDigest });
  for (const label of Object.keys(labels)) {
    expect(identityOf({ ...labels, [label]: undefined }, "test")).toBeUndefined();
    expect(identityOf({ ...labels, [label]: "No Such Thing" }, "test")).toBeUndefined();
  }
});
