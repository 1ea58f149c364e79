import { expect, test } from "vitest";
import { Streak } from "./streak.ts";

test("a pause that may go unnoticed breaks no streak, a longer one does", () => {
  const streak = new Streak(350);
  streak.begin(1_000);
  streak.look(5_000, false);
  expect(streak.lastedMs(5_350)).toBe(4_350);
  expect(streak.lastedMs(5_351)).toBe(0);
  streak.look(5_106, true);
  expect(streak.lastedMs(9_000)).toBe(8_000);
  streak.look(9_000, false);
  streak.look(9_400, true);
  expect(streak.lastedMs(10_000)).toBe(600);
});

test("pauses that overlap are one, which begins with the first of them", () => {
  const streak = new Streak(350);
  streak.look(1_000, false);
  streak.look(1_300, false);
  expect(streak.lastedMs(1_400)).toBe(0);
  streak.look(1_500, true);
  expect(streak.lastedMs(2_000)).toBe(500);
});
