/** How the API alters one host's record. */
import type { HostName, HostRecord } from "@evm/fleet";
import { compareAndSet } from "./compare-and-set.ts";
import type { ApiContext } from "./context.ts";

export type HostChange = {
  readonly name: HostName;
  /** Must depend on nothing but the record: it may run again on a newer one. */
  readonly change: (record: HostRecord) => HostRecord;
  readonly signal: AbortSignal;
};

/** Writes the changed record, if it differs; returns whether, once it can be read here. */
export function changeHost(context: ApiContext, request: HostChange): Promise<boolean> {
  const { name, change, signal } = request;
  const { store } = context;
  const write = () => {
    const known = store.control().hosts.get(name);
    const before = known?.value ?? { name, admin: "active", confirmedLost: undefined };
    const after = change(before);
    return after === before ? undefined : store.putHost(after, known?.revision ?? 0, signal);
  };
  return compareAndSet(context, { what: `host "${name}"`, write, signal });
}
