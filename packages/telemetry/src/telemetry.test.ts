import { expect, test } from "vitest";
import {
  createLog,
  ManualClock,
  Metrics,
  onAbort,
  runTogether,
  serveTelemetry,
  untilAborted,
  Wake,
  withDeadline,
} from "./index.ts";

const never = new AbortController().signal;

test("a log line is JSON with the program, the fields and the causes of an error", () => {
  const lines: string[] = [];
  const log = createLog({
    program: "agent",
    level: "info",
    format: "json",
    write: (line) => lines.push(line),
    now: () => 0,
  }).child({ host: "h1" });
  log.debug("left out");
  const error = new Error("starting x: no answer", { cause: new Error("ECONNREFUSED") });
  log.warn("start failed", { instance: "x-0001", error });
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      time: "1970-01-01T00:00:00.000Z",
      level: "warn",
      program: "agent",
      text: "start failed",
      host: "h1",
      instance: "x-0001",
      error: "starting x: no answer: ECONNREFUSED",
    },
  ]);
});

test("a log for a person reads as a line of words", () => {
  const lines: string[] = [];
  const options = { program: "agent", level: "debug", format: "text", now: () => 0 } as const;
  const log = createLog({ ...options, write: (line) => lines.push(line) });
  log.debug("started", { instance: "x-0001", reason: "it ended", absent: undefined });
  expect(lines).toEqual(['00:00:00.000  debug  started  instance=x-0001  reason="it ended"\n']);
});

test("metrics and health are served, and a failing health says why", async () => {
  const metrics = new Metrics();
  metrics.counter({ name: "evm_tests_total", help: "Tests.", labels: ["kind"] }).inc({ kind: "a" });
  let reason: string | undefined;
  await using server = await serveTelemetry({
    address: "127.0.0.1",
    port: 0,
    registry: metrics.registry,
    health: () => (reason === undefined ? { ok: true } : { ok: false, reason }),
  });
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return { status: response.status, body: await response.text() };
  };
  const shown = await get("/metrics");
  expect(shown.body).toContain('evm_tests_total{kind="a"} 1');
  expect(shown.body).toContain("process_cpu_seconds_total");
  expect(await get("/healthz")).toEqual({ status: 200, body: "ok\n" });
  reason = "no pass for 30 s";
  expect(await get("/healthz")).toEqual({ status: 503, body: "no pass for 30 s\n" });
  expect((await get("/")).status).toBe(404);
});

test("a taken port is an error that names it", async () => {
  const options = {
    address: "127.0.0.1",
    registry: new Metrics().registry,
    health: () => ({ ok: true }) as const,
  };
  await using server = await serveTelemetry({ ...options, port: 0 });
  await expect(serveTelemetry({ ...options, port: server.port })).rejects.toThrow(
    `serving metrics on 127.0.0.1:${server.port}: `,
  );
});

test("a manual clock wakes sleepers in their order, each at its own moment", async () => {
  const clock = new ManualClock(1_000);
  const seen: [string, number][] = [];
  const sleep = async (name: string, ms: number) => {
    await clock.sleep(ms, never);
    seen.push([name, clock.now()]);
  };
  const all = Promise.all([sleep("b", 20), sleep("a", 10), sleep("c", 20)]);
  await clock.advance(15);
  expect(seen).toEqual([["a", 1_010]]);
  await clock.advance(5);
  await all;
  expect(seen.slice(1)).toEqual([
    ["b", 1_020],
    ["c", 1_020],
  ]);
});

test("a wake-up that comes before the wait is not lost", async () => {
  const clock = new ManualClock();
  const wake = new Wake();
  wake.wake();
  wake.wake();
  expect(await wake.wait(1_000, clock, never)).toBe(true);
  const late = wake.wait(1_000, clock, never);
  await clock.advance(1_000);
  expect(await late).toBe(false);
  let rounds = 0;
  const second = wake.wait(1_000, clock, never).then(() => rounds++);
  await clock.advance(999);
  expect(rounds).toBe(0);
  wake.wake();
  await second;
  expect(rounds).toBe(1);
});

test("a wait ends with its signal", async () => {
  const end = new AbortController();
  const waiting = new Wake().wait(1_000, new ManualClock(), end.signal);
  end.abort();
  await expect(waiting).rejects.toThrow("abort");
});

test("work that outlasts its deadline is stopped, and the error says what it did", async () => {
  const clock = new ManualClock();
  const work = withDeadline({ clock, ms: 100, signal: never, doing: "listing" }, (signal) =>
    clock.sleep(1_000, signal),
  );
  const failed = expect(work).rejects.toThrow("listing: no answer within 100 ms");
  await clock.advance(100);
  await failed;
});

test("loops that run together end together, and the first failure is told", async () => {
  const end = new AbortController();
  const ended: string[] = [];
  const patient = async (signal: AbortSignal) => {
    await untilAborted(signal);
    ended.push("patient");
  };
  const together = runTogether([patient, patient], end.signal);
  end.abort();
  await together;
  expect(ended).toEqual(["patient", "patient"]);
  const failing = () => Promise.reject(new Error("out of luck"));
  await expect(runTogether([patient, failing], never)).rejects.toThrow("out of luck");
  expect(ended).toHaveLength(3);
});

test("a signal that has fired before ends its waiter at once", async () => {
  await untilAborted(AbortSignal.abort());
});

test("a loop that is to rest is woken once it has, however often it was woken before", async () => {
  const clock = new ManualClock();
  const wake = new Wake();
  const woken: string[] = [];
  const wait = async () => {
    const wasWoken = await wake.wait(1_000, clock, never, 10);
    woken.push(`${wasWoken} at ${clock.monotonicMs()}`);
  };
  wake.wake();
  const first = wait();
  wake.wake();
  await clock.advance(9);
  expect(woken).toEqual([]);
  await clock.advance(1);
  await first;
  const second = wait();
  await clock.advance(50);
  wake.wake();
  await second;
  const third = wait();
  await clock.advance(1_000);
  await third;
  expect(woken).toEqual(["true at 10", "true at 60", "false at 1060"]);
});

test("who listens to a signal is called once, unless it stopped listening", () => {
  const end = new AbortController();
  const called: string[] = [];
  const [first, , third] = ["first", "second", "third", "fourth"].map((text) =>
    onAbort(end.signal, () => called.push(text)),
  );
  first?.();
  first?.();
  third?.();
  end.abort();
  expect(called.sort()).toEqual(["fourth", "second"]);
});
