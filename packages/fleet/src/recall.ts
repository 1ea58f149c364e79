/**
 * Whether the control state remembers what hosts were ordered. It does not where the store lost it
 * or was set back to an older copy of it: then a host goes by orders of a later generation or epoch
 * than are stored for it. Planning on would stop, as never ordered, what runs, and start it a
 * second time elsewhere.
 *
 * That is told apart from one host that comes from elsewhere, or was left out of a restore: it must
 * not stop a cluster that knows all of its other hosts. Such a host is estranged: until a restore
 * takes it in, nothing is ordered there, and nothing that it may run is started elsewhere while it
 * is up.
 */
import type { Applied } from "./control.ts";
import type { HostName } from "./ids.ts";
import type { Orders } from "./orders.ts";
import type { HostView, Snapshot } from "./snapshot.ts";

export type Recall =
  | {
      readonly kind: "whole";
      /** Hosts that go by orders which are not known here, where others do not. */
      readonly estranged: ReadonlySet<HostName>;
    }
  /** The control state is older than what these hosts were ordered. */
  | { readonly kind: "lost"; readonly hosts: readonly HostName[] };

/** Judges by the newest orders that each host is known to have applied. */
export function recall(snapshot: Snapshot): Recall {
  const { hosts, epochBase } = snapshot;
  const ahead = hosts.filter((view) => isAhead(appliedBy(view), view.orders));
  if (ahead.length === 0) return { kind: "whole", estranged: NONE };
  const areOrdersStored = hosts.some(({ orders }) => orders !== undefined && !isBlank(orders));
  const isLost = (view: HostView): boolean => {
    // Stored for it are older ones: whatever else is stored is as old.
    if ((view.orders?.generation ?? 0) > 0) return true;
    // A restore counted with this host's epoch, and left the host out.
    if (appliedBy(view).epoch < epochBase) return false;
    return !areOrdersStored;
  };
  const names = ahead.map(({ name }) => name);
  if (ahead.some(isLost)) return { kind: "lost", hosts: names };
  return { kind: "whole", estranged: new Set(names) };
}

/**
 * True of orders that say nothing and follow none that did: a control state that was just lost may
 * have them, for a host that was never ordered anything and reports what it should not run.
 */
const isBlank = ({ generation, instances }: Orders): boolean =>
  generation <= 1 && instances.length === 0;

/** The newest orders that a host is known to have applied: a report may be older, or lost. */
export function appliedBy({ report, heartbeat }: HostView): Applied {
  return {
    epoch: Math.max(report?.epoch ?? 0, heartbeat?.epoch ?? 0),
    generation: Math.max(report?.generation ?? 0, heartbeat?.generation ?? 0),
  };
}

/**
 * True where a host has applied orders that are not those stored for it, nor any before them. Of
 * one generation there is one document: the same of another epoch is from a control state that
 * went another way since.
 */
export function isAhead({ epoch, generation }: Applied, stored: Orders | undefined): boolean {
  if (stored === undefined) return generation > 0;
  if (epoch > stored.epoch || generation > stored.generation) return true;
  return generation === stored.generation && epoch !== stored.epoch;
}

const NONE: ReadonlySet<HostName> = new Set();
