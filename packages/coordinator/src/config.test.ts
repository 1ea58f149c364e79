import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CodecError } from "@evm/codec";
import { expect, test } from "vitest";
import { loadConfig } from "./config.ts";

const problems = (load: () => unknown): readonly string[] => {
  try {
    load();
  } catch (error) {
    if (error instanceof CodecError) return error.problems.map(({ field }) => field);
    throw error;
  }
  throw new Error("there was nothing wrong");
};

test("without a file and variables everything has a default", () => {
  expect(loadConfig(undefined, {})).toMatchObject({
    natsServers: ["nats://127.0.0.1:4222"],
    api: { address: "127.0.0.1", port: 7070 },
    lease: { leaseMs: 6_000, marginMs: 1_500 },
    overcommit: { vcpu: 4, memory: 1, disk: 2 },
  });
});

test("variables go before the file, and the file before defaults", async () => {
  await using dir = await mkdtempDisposable(join(tmpdir(), "evm-config-"));
  const file = join(dir.path, "coordinator.yaml");
  await writeFile(file, "id: from-file\napi: {port: 1234}\n");
  const variables = { EVM_COORDINATOR_ID: "from-variable", EVM_COORDINATOR_CONFIG: file };
  expect(loadConfig(undefined, variables)).toMatchObject({
    id: "from-variable",
    api: { address: "127.0.0.1", port: 1234 },
  });
});

test("whatever is wrong is named at once", async () => {
  await using dir = await mkdtempDisposable(join(tmpdir(), "evm-config-"));
  const file = join(dir.path, "coordinator.yaml");
  await writeFile(file, "id: 'a b'\nlease: {leaseMs: 1000}\novercommit: {memory: 0.5}\nx: 1\n");
  const found = problems(() => loadConfig(file, {}));
  expect([...found].sort()).toEqual(["id", "lease.leaseMs", "overcommit.memory", "x"]);
});

test("a file that is not there is a problem of the user's", () => {
  expect(() => loadConfig("/nowhere/coordinator.yaml", {})).toThrow(CodecError);
});
