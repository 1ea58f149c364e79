/** What every implementation of the store promises, as a test suite. */
import { describe } from "vitest";
import { commitContract, controlContract } from "./contract/control.ts";
import type { Setup } from "./contract/fixtures.ts";
import { hostContract } from "./contract/hosts.ts";
import { blobContract, eventContract } from "./contract/records.ts";
import { restoreContract } from "./contract/restore.ts";
import { verbContract } from "./contract/verbs.ts";

export type { Setup, StoreUnderTest } from "./contract/fixtures.ts";

/** @param setup makes one empty store; disposed of at the end of each test */
export function storeContract(name: string, setup: Setup): void {
  describe(`${name} keeps the store's contract`, () => {
    describe("control", () => controlContract(setup));
    describe("commits", () => commitContract(setup));
    describe("restores", () => restoreContract(setup));
    describe("hosts", () => hostContract(setup));
    describe("verbs", () => verbContract(setup));
    describe("events", () => eventContract(setup));
    describe("blobs", () => blobContract(setup));
  });
}
