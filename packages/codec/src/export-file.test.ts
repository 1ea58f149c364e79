import type { ClusterExport, FleetRecord, HostName } from "@evm/fleet";
import { NO_ROLLOUT } from "@evm/fleet";
import { expect, test } from "vitest";
import { CodecError, formatExport, parseExport, parseFleetFiles, templateDigest } from "./index.ts";

const WEB = "name: web\nreplicas: 2\ncontainer: {image: 'web:1'}\nresources: {memoryMib: 64}\n";

function record(): FleetRecord {
  const parsed = parseFleetFiles([{ file: "web.yaml", text: WEB }]);
  const [fleet] = parsed.kind === "ok" ? parsed.fleets : [];
  if (fleet?.kind !== "complete") throw new Error("web.yaml is not a fleet");
  const template = templateDigest(fleet.spec.template, undefined);
  const rest = { image: undefined, state: "active", wishes: [], rollout: NO_ROLLOUT } as const;
  return { spec: fleet.spec, template, ...rest };
}

const value = (): ClusterExport => ({
  exportedAt: Date.UTC(2026, 10, 27, 4),
  epoch: 7,
  revision: 1234,
  fleets: [record()],
  images: [],
  hosts: [{ name: "h1" as HostName, admin: "active", confirmedLost: undefined }],
});

const problems = (text: string): readonly string[] => {
  try {
    parseExport({ file: "cluster.yaml", text });
  } catch (error) {
    if (error instanceof CodecError) return error.message.split("\n");
  }
  throw new Error("it was read");
};

test("an export is for people to read and compare: a header, then sorted lines", () => {
  const lines = formatExport(value()).split("\n");
  expect(lines.slice(1, 5)).toEqual([
    "evmExport: 1",
    "exportedAt: 2026-11-27T04:00:00.000Z",
    "epoch: 7",
    "revision: 1234",
  ]);
  const scaled = record();
  const more = { ...value(), fleets: [{ ...scaled, spec: { ...scaled.spec, replicas: 3 } }] };
  const changed = formatExport(more)
    .split("\n")
    .filter((line, at) => line !== lines[at]);
  expect(changed).toEqual(["      replicas: 3"]);
});

test("what is wrong is named by file, field, value and what was expected", () => {
  const text = formatExport(value());
  expect(problems(text.replace("replicas: 2", "replicas: many"))).toEqual([
    expect.stringMatching(/^cluster.yaml: fleets\[0\].spec.replicas: "many"; expected a whole/),
  ]);
  expect(problems(text.replace("evmExport: 1", "evmExport: 2"))).toEqual([
    "cluster.yaml: evmExport: 2; expected 1, the version that is known here",
  ]);
  expect(problems(`${text}\nhostz: []\n`)[0]).toMatch(/hostz.*did you mean hosts/);
  expect(problems("just text")[0]).toMatch(/expected an export/);
  expect(problems("a: [")[0]).toMatch(/^cluster.yaml: /);
});

test("a template that was edited no longer has its digest, and is refused", () => {
  const edited = formatExport(value()).replace("web:1", "web:2");
  expect(problems(edited)).toEqual([
    expect.stringMatching(/^cluster.yaml: fleets\[0\].template: "sha256:.*; expected sha256:/),
  ]);
});
