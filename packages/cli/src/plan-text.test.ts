import { create } from "@bufbuild/protobuf";
import { ActionKind, PlanSchema } from "@evm/protocol";
import { expect, test } from "vitest";
import { recordingTerminal } from "./output/recording-terminal.testing.ts";
import { planText } from "./plan-text.ts";

test("a plan says what happens where and why, what waits, and the sum of it", () => {
  const plan = create(PlanSchema, {
    actions: [
      { kind: ActionKind.CREATE, instance: "web-0000", host: "h1", reason: "wanted" },
      { kind: ActionKind.CREATE, instance: "web-0001", host: "h2", reason: "wanted" },
      {
        kind: ActionKind.MOVE,
        instance: "db-0000",
        host: "h2",
        fromHost: "h1",
        reason: "h1 drains",
      },
      {
        kind: ActionKind.REPLACE,
        instance: "db-0001",
        host: "h2",
        fromHost: "h2",
        reason: "changed",
      },
    ],
    waiting: [
      {
        instance: "big-0000",
        reason: "no host fits",
        refusals: [{ rule: "memory", hosts: 2, text: "needs 1 GiB more" }],
      },
    ],
    notes: ["h3 is lost"],
  });
  expect(planText(recordingTerminal(), plan)).toBe(
    [
      "+ create web-0000 on h1: wanted",
      "+ create web-0001 on h2: wanted",
      "> move db-0000 from h1 to h2: h1 drains",
      "~ replace db-0001 on h2: changed",
      "! big-0000 waits: no host fits",
      "    memory: needs 1 GiB more",
      "note: h3 is lost",
      "2 to create, 1 to move, 1 to replace, 1 waiting.",
      "",
    ].join("\n"),
  );
});

test("what begins later is told in waves", () => {
  const replace = { kind: ActionKind.REPLACE, host: "h1", fromHost: "h1", reason: "changed" };
  const plan = create(PlanSchema, {
    actions: [
      { ...replace, instance: "web-0000", wave: 1 },
      { ...replace, instance: "web-0001", wave: 2 },
    ],
  });
  expect(planText(recordingTerminal(), plan)).toBe(
    [
      "wave 1:",
      "~ replace web-0000 on h1: changed",
      "wave 2:",
      "~ replace web-0001 on h1: changed",
      "2 to replace.",
      "",
    ].join("\n"),
  );
});

test("an empty plan says that nothing is to do", () => {
  expect(planText(recordingTerminal(), create(PlanSchema))).toBe("Nothing to do.\n");
});
