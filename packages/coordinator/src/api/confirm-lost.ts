/** An operator's word that hosts are lost indeed, where the brake does not believe it. */
import type { HostName, HostView } from "@evm/fleet";
import { type ConfirmLostRequest, RpcError } from "@evm/protocol";
import { changeHost } from "./change-host.ts";
import { confirmationNeeded } from "./confirmation.ts";
import type { ApiContext } from "./context.ts";
import { notFound } from "./errors.ts";

/** Returns the names of the hosts that the request is about, sorted. */
export async function confirmLost(
  context: ApiContext,
  request: ConfirmLostRequest,
  signal: AbortSignal,
): Promise<readonly HostName[]> {
  await context.store.catchUp(signal);
  const { hosts } = context.coordinator.picture().snapshot;
  const named = hostsOf(hosts, request);
  for (const host of named) assertOverdue(host);
  const silent = named.filter(({ liveness }) => liveness === "silent");
  assertConfirmed(silent, hosts.length, request.confirmed);
  for (const { name, report } of silent) {
    const confirmed = report?.reportedAt ?? 0;
    const isWritten = await changeHost(context, {
      name,
      change: (record) =>
        record.confirmedLost === confirmed ? record : { ...record, confirmedLost: confirmed },
      signal,
    });
    if (!isWritten) continue;
    const text = `an operator confirmed that ${name} is lost`;
    context.coordinator.announcer.say("warning", "HostLossConfirmed", text, { host: name });
  }
  return named.map(({ name }) => name);
}

function hostsOf(
  hosts: readonly HostView[],
  { names, isAllSilent }: ConfirmLostRequest,
): readonly HostView[] {
  const known = new Set<string>(hosts.map(({ name }) => name));
  for (const name of names) if (!known.has(name)) throw notFound("host", name);
  if (names.length === 0 && !isAllSilent) {
    throw new RpcError("invalidArgument", "names: none; expected hosts, or is_all_silent");
  }
  const wanted = new Set<string>(names);
  return hosts.filter(
    ({ name, liveness }) => wanted.has(name) || (isAllSilent && liveness === "silent"),
  );
}

function assertOverdue({ name, liveness }: HostView): void {
  switch (liveness) {
    case "silent":
    case "lost":
      return;
    case "up":
      throw new RpcError("failedPrecondition", `host "${name}": is heard of, and so not lost`);
    case "unknown":
      throw new RpcError(
        "failedPrecondition",
        `host "${name}": has not been silent for long enough to be lost; wait some seconds`,
      );
  }
}

function assertConfirmed(
  silent: readonly HostView[],
  known: number,
  confirmed: number | undefined,
): void {
  const confirm = silent.length;
  if (confirm === 0 || confirmed === confirm) return;
  const runs = silent.flatMap(({ orders }) => orders?.instances ?? []);
  const instances = runs.filter(({ desired }) => desired === "run").length;
  const what = `${confirm} of ${known} hosts for lost, with ${instances} instances`;
  throw confirmationNeeded(`this would take ${what}`, {
    confirm,
    confirmed,
    metadata: { hosts: confirm, ofHosts: known, instances },
  });
}
