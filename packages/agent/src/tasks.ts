/**
 * The steps being carried out, at most one per incarnation.
 *
 *  T1 Every task has an end: its work has a deadline, and `drain` waits for all.
 *  T2 Work reports its own failures and does not reject; a rejection is a bug and ends the process.
 */
import {
  type Observed,
  type OrderedInstance,
  type Orders,
  runtimeName,
  type TemplateKind,
} from "@evm/fleet";

export const TASK_KINDS = ["prepare", "start", "stop", "discard"] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

/** Which incarnation a task or an observation is about. */
export type Subject = Pick<
  Observed,
  "name" | "fleet" | "index" | "incarnation" | "kind" | "template"
>;

/** What is ordered to run. */
export const subjectsToRun = (orders: Orders): readonly Subject[] =>
  subjectsOf(orders).flatMap(({ subject, desired }) => (desired === "run" ? [subject] : []));

/** Everything that is ordered, and what is desired of it. */
export function subjectsOf(
  orders: Orders,
): readonly { readonly subject: Subject; readonly desired: OrderedInstance["desired"] }[] {
  const kindOf = new Map(orders.templates.map((one) => [one.digest, one.template.kind]));
  return orders.instances.flatMap(({ desired, ...one }) => {
    const kind = kindOf.get(one.template);
    return kind === undefined ? [] : [{ subject: { ...one, kind }, desired }];
  });
}

export type Task = {
  readonly subject: Subject;
  readonly kind: TaskKind;
  /** What takes time, in words. */
  readonly progress: string | undefined;
};

export type TaskContext = {
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
};

type Entry = {
  readonly task: Task;
  readonly abort: AbortController;
  readonly done: Promise<void>;
};

export type TasksOptions = {
  /** Called when a task says how far it is. */
  readonly onProgress: () => void;
  /** Called when a task has ended, and is no longer listed; `isDone`: its driver said so. */
  readonly onEnd: (task: Task, isDone: boolean) => void;
};

export class Tasks {
  readonly #options: TasksOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: TasksOptions) {
    this.#options = options;
  }

  /** Starts a task; its work tells whether it is done. There must be none for this incarnation. */
  start(subject: Subject, kind: TaskKind, work: (context: TaskContext) => Promise<boolean>): void {
    const key = keyOf(subject);
    if (this.#entries.has(key)) throw new Error(`${kind} ${key}: another task runs`);
    const abort = new AbortController();
    const task = { subject, kind, progress: undefined };
    const onProgress = (progress: string) => {
      const entry = this.#entries.get(key);
      if (entry === undefined) return;
      this.#entries.set(key, { ...entry, task: { ...task, progress } });
      this.#options.onProgress();
    };
    const done = work({ signal: abort.signal, onProgress }).then((isDone) => {
      this.#entries.delete(key);
      this.#options.onEnd(task, isDone);
    });
    this.#entries.set(key, { task, abort, done });
  }

  of(ref: Pick<Subject, "name" | "incarnation">): Task | undefined {
    return this.#entries.get(keyOf(ref))?.task;
  }

  all(): readonly Task[] {
    return [...this.#entries.values()].map((entry) => entry.task);
  }

  count(driver: TemplateKind, kind: TaskKind): number {
    return this.all().filter((task) => task.subject.kind === driver && task.kind === kind).length;
  }

  /** Tells a task to end early; it is gone once it has. */
  cancel(ref: Pick<Subject, "name" | "incarnation">, reason: string): void {
    this.#entries.get(keyOf(ref))?.abort.abort(new DOMException(reason, "AbortError"));
  }

  /** Ends every task early and waits for the last. */
  async drain(): Promise<void> {
    const entries = [...this.#entries.values()];
    for (const { task } of entries) this.cancel(task.subject, "the agent ends");
    await Promise.all(entries.map((entry) => entry.done));
  }
}

/** Where an incarnation is found in every map of the agent. */
export const keyOf = (ref: Pick<Subject, "name" | "incarnation">): string =>
  runtimeName(ref.name, ref.incarnation);
