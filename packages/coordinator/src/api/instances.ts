/** Instances: list, get, watch, start, stop, restart, explain, logs, console. */

import { phaseEnum } from "@evm/codec";
import { type FleetRecord, type InstanceWish, isFleetName } from "@evm/fleet";
import {
  type Handlers,
  type InstanceService,
  type ListInstancesRequest,
  RpcError,
} from "@evm/protocol";
import type { InstanceView } from "../instances.ts";
import { assertActive, changeFleet } from "./change-fleet.ts";
import type { ApiContext } from "./context.ts";
import { notFound } from "./errors.ts";
import { explainInstance } from "./explain.ts";
import { openConsole, streamLogs } from "./host-streams.ts";
import { instanceToWire } from "./instance-wire.ts";
import { pageOf } from "./paging.ts";
import { watchView } from "./watch.ts";

/** More than any incarnation ever reaches; turns their order round in keys. */
const INCARNATION_CEILING = 1_000_000_000;

export function instanceHandlers(context: ApiContext): Handlers<typeof InstanceService> {
  const newest = (name: string) => newestOf(context, name);
  return {
    async listInstances(request) {
      const views = viewsOf(context, request.fleet).filter((view) => isAskedFor(view, request));
      const { page, nextPageToken } = pageOf(views, request, keyOf);
      return { instances: page.map(instanceToWire), nextPageToken };
    },
    async getInstance({ name }) {
      return { instance: instanceToWire(newest(name)) };
    },
    async *watchInstances({ fleet }, { signal }) {
      const { store, clock } = context;
      const view = () => new Map(viewsOf(context, fleet).map((item) => [keyOf(item), item]));
      for await (const change of watchView({ store, clock, signal, view })) {
        if (change.kind === "synced") yield { isSynced: true };
        else yield { instance: instanceToWire(change.value), isGone: change.kind === "gone" };
      }
    },
    async startInstance({ name }, { signal }) {
      const wish = (before: InstanceWish) => ({ ...before, isStopped: false });
      return { instance: instanceToWire(await changeWish(context, newest(name), wish, signal)) };
    },
    async stopInstance({ name }, { signal }) {
      const wish = (before: InstanceWish) => ({ ...before, isStopped: true });
      return { instance: instanceToWire(await changeWish(context, newest(name), wish, signal)) };
    },
    async restartInstance({ name, expectedIncarnation }, { signal }) {
      const view = newest(name);
      const minIncarnation = incarnationAfter(view, expectedIncarnation);
      if (view.incarnation >= minIncarnation)
        return { instance: instanceToWire(view), minIncarnation };
      const wish = ({ index }: InstanceWish) => ({ index, isStopped: false, minIncarnation });
      const instance = instanceToWire(await changeWish(context, view, wish, signal));
      return { instance, minIncarnation };
    },
    async explainInstance({ name }) {
      return explainInstance(context, newest(name));
    },
    streamLogs: (request, { signal }) => streamLogs(context, newest(request.name), request, signal),
    openConsole: (requests, { signal }) => openConsole(context, newest, requests, signal),
  };
}

/** Those of a fleet, or all where it is empty. */
function viewsOf({ coordinator }: ApiContext, fleet: string): readonly InstanceView[] {
  const picture = coordinator.picture();
  if (fleet === "") return picture.instances;
  return isFleetName(fleet) ? picture.instancesOf(fleet) : [];
}

/** Sorts like the views themselves: a space comes before every character of a name. */
const keyOf = ({ name, incarnation, host }: InstanceView): string =>
  `${name} ${String(INCARNATION_CEILING - incarnation).padStart(10, "0")} ${host ?? ""}`;

function newestOf(context: ApiContext, name: string): InstanceView {
  const found = context.coordinator.picture().newest(name);
  if (found === undefined) throw notFound("instance", name);
  return found;
}

/** What replaces the incarnation that a client expects; throws where there was none such yet. */
function incarnationAfter(
  { name, incarnation }: InstanceView,
  expected: number | undefined,
): number {
  if (expected === undefined) {
    const description = "missing: which incarnation is to be replaced, as GetInstance gives it";
    throw new RpcError("invalidArgument", `expected_incarnation: ${description}`, {
      violations: [{ field: "expected_incarnation", description }],
    });
  }
  if (expected <= incarnation) return expected + 1;
  const text = `expected incarnation ${expected}, found ${incarnation}; read it again`;
  throw new RpcError("aborted", `instance "${name}": ${text}`);
}

function isAskedFor(view: InstanceView, request: ListInstancesRequest): boolean {
  const { host, phases } = request;
  return (
    (host === "" || view.host === host) &&
    (phases.length === 0 || phases.includes(phaseEnum.toWire(view.phase)))
  );
}

/** Writes the wish for one instance and returns the instance as it then is. */
async function changeWish(
  context: ApiContext,
  view: InstanceView,
  wish: (before: InstanceWish) => InstanceWish,
  signal: AbortSignal,
): Promise<InstanceView> {
  const change = (record: FleetRecord) => withWish(record, view.index, wish);
  await changeFleet(context, { name: view.fleet, expectedRevision: undefined, change, signal });
  return newestOf(context, view.name);
}

function withWish(
  record: FleetRecord,
  index: number,
  wish: (before: InstanceWish) => InstanceWish,
): FleetRecord {
  assertActive(record);
  const { name, replicas } = record.spec;
  if (index >= replicas) {
    const text = `fleet "${name}" has ${replicas} replicas now; this instance is being discarded`;
    throw new RpcError("failedPrecondition", text);
  }
  const found = record.wishes.find((item) => item.index === index);
  const before = found ?? { index, isStopped: false, minIncarnation: 0 };
  const after = wish(before);
  if (after.isStopped === before.isStopped && after.minIncarnation === before.minIncarnation) {
    return record;
  }
  const others = record.wishes.filter((item) => item.index !== index);
  const isWish = after.isStopped || after.minIncarnation > 0;
  const wishes = isWish ? [...others, after].sort((a, b) => a.index - b.index) : others;
  return { ...record, wishes };
}
