import { Phase } from "@evm/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { bytes, duration, labels, phaseCounts, vcpus } from "./format.ts";
import { startProgress, startQuietProgress } from "./progress.ts";
import { recordingTerminal } from "./recording-terminal.testing.ts";
import { table } from "./table.ts";
import { styled, styledErr } from "./terminal.ts";

describe("a table", () => {
  const columns = [
    { title: "NAME", value: (row: readonly [string, string]) => row[0] },
    { title: "COUNT", value: (row: readonly [string, string]) => row[1], align: "right" },
  ] as const;

  test("is aligned, numbers at the right, without blanks at the ends of lines", () => {
    const rows = [
      ["web", "7"],
      ["school-linux", "12"],
    ] as const;
    expect(table(recordingTerminal(), rows, columns, "none")).toBe(
      "NAME          COUNT\nweb               7\nschool-linux     12\n",
    );
  });

  test("stays aligned where cells have colour", () => {
    const terminal = recordingTerminal({ hasColour: true });
    const rows = [
      [styled(terminal, "green", "a"), "1"],
      ["bb", "2"],
    ] as const;
    const [, ...lines] = table(terminal, rows, columns, "none").split("\n");
    expect(lines).toEqual(["\u001b[32ma\u001b[39m         1", "bb        2", ""]);
  });

  test("without rows says what to do", () => {
    expect(table(recordingTerminal(), [], columns, "None yet.")).toBe("None yet.\n");
  });
});

describe("values", () => {
  test("are shown in the unit that people read", () => {
    expect([0, 59_999, 60_000, 7_200_000, 172_800_000].map(duration)).toEqual([
      ..."0s 59s 1m 2h 2d".split(" "),
    ]);
    expect([0, 1023, 1536, 2 ** 30].map(bytes)).toEqual(["0 B", "1023 B", "1.5 KiB", "1 GiB"]);
    expect([250, 2000].map(vcpus)).toEqual(["0.25", "2"]);
    expect(labels({ zone: "b", a: "1" })).toBe("a=1,zone=b");
    expect(labels({})).toBe("-");
    const counts = [
      { phase: Phase.READY, count: 3 },
      { phase: Phase.STARTING, count: 1 },
    ];
    expect(phaseCounts(counts)).toBe("3 ready, 1 starting");
  });

  test("have colour on a terminal alone", () => {
    expect(styled(recordingTerminal(), "red", "x")).toBe("x");
    expect(styled(recordingTerminal({ hasColour: true }), "red", "x")).toBe(
      "\u001b[31mx\u001b[39m",
    );
  });

  test("beside the results have colour where these go to a terminal", () => {
    const results = recordingTerminal({ hasColour: true });
    expect(styledErr(results, "red", "x")).toBe("x");
    const messages = recordingTerminal({ hasErrColour: true });
    expect(styledErr(messages, "red", "x")).toBe("\u001b[31mx\u001b[39m");
    expect(styled(messages, "red", "x")).toBe("x");
  });
});

describe("progress", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("in a log is a line for each that changed", () => {
    const terminal = recordingTerminal();
    {
      using progress = startProgress(terminal);
      progress.update("a 1/2\nb 0/1");
      progress.update("a 2/2\nb 0/1");
      progress.update("a 2/2\nb 0/1");
    }
    expect(terminal.shown).toEqual({ out: "", err: "a 1/2\nb 0/1\na 2/2\n" });
  });

  test("in a log comes now and then, however often it changes", () => {
    const terminal = recordingTerminal();
    {
      using progress = startProgress(terminal);
      for (const ready of [1, 2, 3]) progress.update(`${ready}/9`);
      expect(terminal.shown.err).toBe("1/9\n");
      vi.advanceTimersByTime(2_000);
      expect(terminal.shown.err).toBe("1/9\n3/9\n");
      vi.advanceTimersByTime(60_000);
      progress.update("4/9");
      progress.update("5/9");
    }
    expect(terminal.shown.err).toBe("1/9\n3/9\n4/9\n5/9\n");
    expect(vi.getTimerCount()).toBe(0);
  });

  test("in a log tells at once, and once, what happens again and again", () => {
    const terminal = recordingTerminal();
    using progress = startProgress(terminal);
    progress.update("1/9");
    progress.update("2/9");
    for (let attempt = 0; attempt < 3; attempt += 1) progress.tell("trying again");
    expect(terminal.shown.err).toBe("1/9\ntrying again\n");
  });

  test("of a step shows nothing where that is over at once", () => {
    const terminal = recordingTerminal();
    {
      using progress = startQuietProgress(terminal);
      progress.update("packing");
    }
    expect(terminal.shown.err).toBe("");
    expect(vi.getTimerCount()).toBe(0);
  });

  test("of a step that takes longer shows how it stands", () => {
    const terminal = recordingTerminal({ isErrTty: true });
    using progress = startQuietProgress(terminal);
    progress.update("packing");
    progress.update("uploading");
    vi.advanceTimersByTime(1_000);
    expect(terminal.shown.err).toBe("\r\u001b[0Juploading");
  });

  test("on a terminal is drawn over itself, and leaves nothing behind", () => {
    const terminal = recordingTerminal({ isErrTty: true });
    {
      using progress = startProgress(terminal);
      progress.update("a\nb");
      progress.update("c");
    }
    expect(terminal.shown.err).toBe("\r\u001b[0Ja\nb" + "\r\u001b[1A\u001b[0Jc" + "\r\u001b[0J");
  });

  test("on a terminal fits it", () => {
    const terminal = recordingTerminal({ isErrTty: true, columns: 6 });
    using progress = startProgress(terminal);
    progress.update(Array.from({ length: 20 }, (_, at) => `line ${at}`).join("\n"));
    const lines = terminal.shown.err.replace("\r\u001b[0J", "").split("\n");
    expect(lines).toHaveLength(12);
    expect(new Set(lines)).toEqual(new Set(["line ", "… and"]));
  });
});
