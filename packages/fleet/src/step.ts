/** What an agent does next, and what it has to remember of what it did. */
import type { InstanceName } from "./ids.ts";
import { runtimeName } from "./ids.ts";
import type { OrderedInstance, OrderedTemplate } from "./orders.ts";
import type { Instant } from "./report.ts";
import type { TemplateKind } from "./spec.ts";

/** What the agent did to one incarnation. In memory: an agent that restarts begins anew. */
export type RestartRecord = {
  readonly name: InstanceName;
  readonly incarnation: number;
  /** When it was restarted, oldest first; only those within the policy's window. */
  readonly restartedAt: readonly Instant[];
  /** Why the agent last stopped it; absent once it has been started since. */
  readonly stopped: "ordered" | "unhealthy" | undefined;
  /** Why the agent gave it up; it then reports it as `failed`, with this reason. */
  readonly givenUp: string | undefined;
};

/** The records by `runtimeName(name, incarnation)`. */
export type History = ReadonlyMap<string, RestartRecord>;

type Target = {
  readonly name: InstanceName;
  readonly incarnation: number;
  /** Which driver carries it out. */
  readonly driver: TemplateKind;
  /** Why, in words, for logs and events. */
  readonly reason: string;
};

/** One verb for one incarnation. `record` is what to remember as soon as the step is begun. */
export type Step =
  /** Make everything ready (image, disk, definition or container) without starting it. */
  | (Target & {
      readonly kind: "prepare";
      readonly ordered: OrderedInstance;
      readonly template: OrderedTemplate;
    })
  | (Target & { readonly kind: "start"; readonly record: RestartRecord })
  /** End it and keep its disk; where it is still being prepared, break that off. */
  | (Target & { readonly kind: "stop"; readonly record: RestartRecord })
  /** Remove it with its disk: only ever because orders say so (I4). It is not running. */
  | (Target & { readonly kind: "discard" })
  /**
   * Nothing before `untilMs`; the agent may add jitter of its own when it looks again. Absent: only
   * other orders end it.
   */
  | (Target & { readonly kind: "wait"; readonly untilMs: Instant | undefined })
  /** Report it as `failed` from now on. */
  | (Target & { readonly kind: "giveUp"; readonly record: RestartRecord });

/** The history after `step` was begun. */
export function remember(history: History, step: Step): History {
  const key = runtimeName(step.name, step.incarnation);
  switch (step.kind) {
    case "start":
    case "stop":
    case "giveUp":
      return new Map(history).set(key, step.record);
    case "discard": {
      const rest = new Map(history);
      rest.delete(key);
      return rest;
    }
    case "prepare":
    case "wait":
      return history;
  }
}
