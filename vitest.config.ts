import { defineConfig } from "vitest/config";

const SYSTEM = "**/*.system.test.ts";
const HOST = "**/*.host.test.ts";
const SIM = "**/*.sim.test.ts";
const E2E = "test/e2e/**/*.test.ts";
const CHAOS = "test/chaos/**/*.chaos.test.ts";
const NOT_OURS = ["**/node_modules/**", "tools/**", "dist/**"];

/** One file at a time, after the projects before it: these tests share a machine's daemons. */
const serial = (name: string, groupOrder: number, include: string, exclude: string[]) => ({
  test: {
    name,
    include: [include],
    exclude: [...NOT_OURS, ...exclude],
    maxWorkers: 1,
    fileParallelism: false,
    sequence: { groupOrder },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          setupFiles: ["test/support/property-seed.ts"],
          // Files of one worker share their modules: to load them anew takes longer than the tests.
          isolate: false,
          // Against tests that hang; a busy machine takes its time to start a program.
          testTimeout: 60_000,
          include: ["packages/**/*.test.ts", "scripts/**/*.test.ts", "test/**/*.test.ts"],
          exclude: [...NOT_OURS, SYSTEM, HOST, SIM, E2E, CHAOS],
        },
      },
      serial("system", 1, SYSTEM, [E2E]),
      serial("host", 2, HOST, [E2E]),
      {
        test: {
          ...serial("e2e", 3, E2E, []).test,
          globalSetup: ["test/e2e/setup.ts"],
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
      {
        test: {
          ...serial("chaos", 4, CHAOS, []).test,
          globalSetup: ["test/e2e/setup.ts"],
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
      // Takes every core by itself.
      serial("sim", 5, SIM, []),
    ],
  },
});
