/** What the host runs, put together from listings, running tasks and the restart history. Pure. */
import type { DriverInstance } from "@evm/drivers";
import type { Instant, Observed, ObservedPhase, RestartRecord, TemplateKind } from "@evm/fleet";
import type { Listing } from "./lister.ts";
import { keyOf, type Subject, type Task, type TaskKind } from "./tasks.ts";

export type ObserveInput = {
  readonly listings: ReadonlyMap<TemplateKind, Listing>;
  readonly tasks: readonly Task[];
  readonly recordOf: (key: string) => RestartRecord | undefined;
  readonly restartsOf: (key: string) => number;
  /** Why its last step failed, where it did. */
  readonly failureOf: (key: string) => string | undefined;
  /** The outcome of the last call, for the time since which a phase lasts. */
  readonly previous: ReadonlyMap<string, Observed>;
  readonly now: Instant;
};

/** Everything that exists or is being made, by `runtimeName`, as `converge` wants to see it. */
export function observe(input: ObserveInput): ReadonlyMap<string, Observed> {
  const { listings, tasks } = input;
  const taskOf = new Map(tasks.map((task) => [keyOf(task.subject), task]));
  const observed = new Map<string, Observed>();
  for (const [kind, listing] of listings) {
    for (const instance of listing.instances) {
      const key = keyOf(instance);
      const failure = input.failureOf(key);
      const now = stateOf(instance, taskOf.get(key), input.recordOf(key), failure);
      const state = listing.problem === undefined ? now : { ...now, reason: listing.problem };
      const subject = subjectOf(instance, kind);
      const startedAt = instance.state === "exited" ? undefined : instance.startedAt;
      observed.set(key, complete({ subject, state, startedAt, address: instance.address }, input));
    }
  }
  for (const [key, { subject, kind, progress }] of taskOf) {
    if (observed.has(key) || kind === "discard") continue;
    const state = { phase: PHASE_OF_TASK[kind], reason: progress, exit: undefined };
    observed.set(
      key,
      complete({ subject, state, startedAt: undefined, address: undefined }, input),
    );
  }
  return observed;
}

type State = Pick<Observed, "phase" | "reason" | "exit">;

const PHASE_OF_TASK: Record<TaskKind, ObservedPhase> = {
  prepare: "preparing",
  start: "starting",
  stop: "stopping",
  discard: "stopping",
};

function stateOf(
  { state, exit, reason }: DriverInstance,
  task: Task | undefined,
  record: RestartRecord | undefined,
  failure: string | undefined,
): State {
  if (task !== undefined) {
    return { phase: PHASE_OF_TASK[task.kind], reason: task.progress, exit: undefined };
  }
  switch (state) {
    case "running":
      // A reason on a running one says that its readiness ran out of time.
      return { phase: "running", reason, exit: reason === undefined ? undefined : "failure" };
    case "ready":
      return { phase: "ready", reason: undefined, exit: undefined };
    case "broken":
      return { phase: "failed", reason, exit };
    case "created":
    case "exited":
      if (record?.givenUp !== undefined) return { phase: "failed", reason: record.givenUp, exit };
      return { phase: "stopped", reason: failure ?? reason, exit };
  }
}

type Parts = {
  readonly subject: Subject;
  readonly state: State;
  /** The best guess at the beginning of a phase that the agent did not see begin. */
  readonly startedAt: Instant | undefined;
  readonly address: string | undefined;
};

function complete({ subject, state, startedAt, address }: Parts, input: ObserveInput): Observed {
  const key = keyOf(subject);
  const before = input.previous.get(key);
  const since = before === undefined ? (startedAt ?? input.now) : input.now;
  return {
    ...subject,
    ...state,
    since: before?.phase === state.phase ? before.since : since,
    restarts: input.restartsOf(key),
    address,
  };
}

const subjectOf = (instance: DriverInstance, kind: TemplateKind): Subject => ({
  name: instance.name,
  fleet: instance.fleet,
  index: instance.index,
  incarnation: instance.incarnation,
  kind,
  template: instance.templateDigest,
});
