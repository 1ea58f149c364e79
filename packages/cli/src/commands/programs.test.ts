import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

test("evm agent becomes the agent: its words and its exit code are the agent's own", () => {
  const words = [MAIN, "agent", "--config", "/there/is/no/such.yaml"];
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
  expect(stderr).toMatch(/such\.yaml/);
  expect(stderr).not.toContain("evm agent ended with");
  expect(status).toBe(2);
});
