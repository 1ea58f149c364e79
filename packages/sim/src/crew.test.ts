import { expect, test } from "vitest";
import { Crew } from "./crew.ts";
import { SCENARIOS } from "./scenario.ts";

const BEGIN = "export async function runSeed(options: RunOptions): Promise<RunOutcome> {";

test("a process that ends over a seed takes nothing with it, and is told of", async () => {
  await using crew = new Crew(
    {
      name: "a crash of V8",
      invariant: "I1",
      seed: 7,
      patches: [
        {
          file: "sim/src/run.ts",
          find: BEGIN,
          replace: `${BEGIN} process.kill(process.pid, "SIGKILL");`,
        },
      ],
    },
    1,
  );
  const selection = { seed: 7, scenario: SCENARIOS.small, only: undefined, without: [] };
  await expect(crew.run(selection)).rejects.toThrow("seed 7: its process ended by SIGKILL");
  // Nor is it waited for where it ended before.
  await expect(crew.run(selection)).rejects.toThrow("seed 7: its process ended by SIGKILL");
});
