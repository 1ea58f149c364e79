import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { loadSettings } from "./settings.ts";

const schema = z.strictObject({
  stateDir: z.string({ error: "a path" }),
  metrics: z
    .strictObject({
      port: z.int({ error: "a port" }).default(9090),
      address: z.string().optional(),
    })
    .prefault({}),
  servers: z.array(z.string()).default([]),
});
const directory = mkdtempSync(join(tmpdir(), "evm-settings-"));
afterAll(() => rmSync(directory, { recursive: true }));

function file(text: string): string {
  const path = join(directory, `${Math.random()}.yaml`);
  writeFileSync(path, text);
  return path;
}

test("variables win over the file, and reach into nested settings", () => {
  const settings = loadSettings(schema, {
    file: file("stateDir: /a\nmetrics: {address: ::1}\n"),
    environment: { EVM_T_STATE_DIR: "/b", EVM_T_METRICS__PORT: "1", EVM_T_SERVERS: "[x, y]" },
    prefix: "EVM_T_",
  });
  expect(settings).toEqual({
    stateDir: "/b",
    metrics: { port: 1, address: "::1" },
    servers: ["x", "y"],
  });
});

test("every problem names its file or variable, the field, the value and what was expected", () => {
  const path = file("stateDir: 4\n");
  const load = () =>
    loadSettings(schema, {
      file: path,
      environment: { EVM_T_METRICS__PORT: "many" },
      prefix: "EVM_T_",
    });
  const lines = [
    `${path}: stateDir: 4; expected a path`,
    'EVM_T_METRICS__PORT: metrics.port: "many"; expected a port',
  ];
  expect(load).toThrow(lines.join("\n"));
});

test("a file that is not there is an error that names it", () => {
  const load = () =>
    loadSettings(schema, { file: "/nowhere.yaml", environment: {}, prefix: "EVM_T_" });
  expect(load).toThrow("/nowhere.yaml: ENOENT");
});
