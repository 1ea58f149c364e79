import type { InstanceName, Observed, Orders, TemplateKind } from "@evm/fleet";
import type { Listing } from "./lister.ts";
import type { Held } from "./steps.ts";
import { keyOf, subjectsOf, type Task } from "./tasks.ts";

/** A step that ended; only a listing begun after this one shows what came of it. */
export type Outdated = {
  readonly task: Task;
  /** Whether its driver said that it is done. */
  readonly isDone: boolean;
  readonly listing: number;
};

export type FrozenInput = {
  readonly listings: ReadonlyMap<TemplateKind, Listing>;
  readonly orders: Orders | undefined;
  readonly observed: Iterable<Observed>;
  readonly outdated: Iterable<Outdated>;
};

/**
 * The instances that must be left alone now, because one of their incarnations cannot be seen:
 * what a driver does not list at this moment is not known to be gone.
 */
export function frozenNames(input: FrozenInput): ReadonlySet<InstanceName> {
  const { listings, orders, observed, outdated } = input;
  const isBlind = (kind: TemplateKind) => listings.get(kind)?.problem !== undefined;
  const kindOf = new Map(orders?.templates.map((one) => [one.digest, one.template.kind]));
  const frozen = new Set<InstanceName>();
  for (const { name, template } of orders?.instances ?? []) {
    const kind = kindOf.get(template);
    if (kind !== undefined && isBlind(kind)) frozen.add(name);
  }
  for (const { name, kind } of observed) if (isBlind(kind)) frozen.add(name);
  for (const { task } of outdated) frozen.add(task.subject.name);
  return frozen;
}

/**
 * What is ordered and was not seen yet, and cannot be seen now. What is to stop or to be discarded
 * shows as stopping: without it, the report would say that it has ended, or is gone.
 */
export function unseen(
  orders: Orders,
  listings: ReadonlyMap<TemplateKind, Listing>,
  isSeen: (key: string) => boolean,
): readonly Held[] {
  return subjectsOf(orders).flatMap(({ subject, desired }) => {
    const reason = listings.get(subject.kind)?.problem;
    if (reason === undefined || isSeen(keyOf(subject))) return [];
    const phase = desired === "run" ? undefined : "stopping";
    return [{ subject, hold: { phase, reason, until: undefined } }];
  });
}
