import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { VERSION } from "../packages/protocol/src/index.ts";

test("the programs tell the version that the repository bears", () => {
  const file = new URL("../package.json", import.meta.url);
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ version: VERSION });
});
