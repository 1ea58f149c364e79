/** Fleets: apply, plan, get, list, watch, scale, delete, undelete. */
import { planCodec } from "@evm/codec";
import { blastRadius, drainForecast, type FleetRecord, forecast } from "@evm/fleet";
import {
  type Fleet,
  type FleetService,
  type Handlers,
  type PlanFleetsRequest,
  RpcError,
} from "@evm/protocol";
import { applyFleets, declaredRecord, parseSpecs } from "./apply.ts";
import { blastRadiusToWire, supposed } from "./blast-radius.ts";
import { assertActive, changeFleet, findFleet } from "./change-fleet.ts";
import type { ApiContext } from "./context.ts";
import { deleteFleets, deleting, kept } from "./delete-fleets.ts";
import { notFound } from "./errors.ts";
import { fleetViewOf, fleetViews, shownFleet } from "./fleet-view.ts";
import { findHost } from "./hosts.ts";
import { pageOf } from "./paging.ts";
import { rolloutHandlers } from "./rollouts.ts";
import { watchView } from "./watch.ts";

/** The largest fleet; beyond it the orders of its hosts would grow past their limit. */
const MAX_REPLICAS = 100_000;

export function fleetHandlers(context: ApiContext): Handlers<typeof FleetService> {
  const view = (name: string) => ({ fleet: shownFleet(context, name) });
  return {
    ...rolloutHandlers(context),
    async applyFleets(request, { signal }) {
      const outcomes = await applyFleets(context, request, signal);
      return {
        fleets: outcomes.flatMap(({ name, outcome }) => {
          const fleet = fleetViewOf(context, name);
          return fleet === undefined ? [] : [{ fleet, outcome }];
        }),
      };
    },
    async planFleets(request) {
      const { snapshot } = context.coordinator.picture();
      const changes = changesOf(context, request);
      const after = supposed(snapshot, changes);
      const isOfHosts = changes.fleets.length === 0 && changes.drains.length > 0;
      const plan = isOfHosts ? drainForecast(after, new Set(changes.drains)) : forecast(after);
      const notes = plan.notes.map((note) => note.text);
      const radius = blastRadiusToWire(blastRadius(snapshot, after), context);
      return { plan: planCodec.toWire({ ...plan, notes }), blastRadius: radius };
    },
    async getFleet({ name }) {
      return view(name);
    },
    async listFleets(request) {
      const { page, nextPageToken } = pageOf([...fleetViews(context)], request, ([name]) => name);
      return { fleets: page.map(([, fleet]) => fleet), nextPageToken };
    },
    watchFleets: ({ name }, { signal }) => watchFleets(context, name, signal),
    async scaleFleet({ name, replicas, expectedRevision, confirmed }, { signal }) {
      assertReplicas(replicas);
      const change = (record: FleetRecord) => scaled(record, replicas);
      if (await changeFleet(context, { name, expectedRevision, change, confirmed, signal })) {
        const text = `${name} to ${replicas}`;
        context.coordinator.announcer.say("info", "FleetScaled", text, { fleet: name });
      }
      return view(name);
    },
    async deleteFleet(request, { signal }) {
      const names = [request.name, ...request.others];
      const before = new Map(names.map((name) => [name, fleetViewOf(context, name)]));
      await deleteFleets(context, request, signal);
      // A fleet of which nothing runs may be gone before it can be shown once more.
      const shown = (name: string): Fleet => {
        const fleet = fleetViewOf(context, name) ?? before.get(name);
        if (fleet === undefined) throw notFound("fleet", name);
        return fleet;
      };
      return { fleet: shown(request.name), others: request.others.map(shown) };
    },
    async undeleteFleet({ name }, { signal }) {
      const request = { name, expectedRevision: undefined, change: kept, signal };
      if (await changeFleet(context, request)) {
        const text = `${name} is kept: what had not been ended yet stays`;
        context.coordinator.announcer.say("info", "FleetUndeleted", text, { fleet: name });
      }
      return view(name);
    },
  };
}

/** @param name empty: every fleet */
async function* watchFleets(context: ApiContext, name: string, signal: AbortSignal) {
  const { store, clock } = context;
  const only = () => {
    const fleet = fleetViewOf(context, name);
    return new Map(fleet === undefined ? [] : [[name, fleet]]);
  };
  const view = name === "" ? () => fleetViews(context) : only;
  for await (const change of watchView({ store, clock, signal, view })) {
    switch (change.kind) {
      case "is":
        yield { fleet: change.value };
        break;
      case "gone":
        yield { deletedName: change.key };
        break;
      case "synced":
        yield { isSynced: true };
    }
  }
}

function assertReplicas(replicas: number): void {
  if (replicas <= MAX_REPLICAS) return;
  const description = `${replicas}: at most ${MAX_REPLICAS}`;
  throw new RpcError("invalidArgument", `replicas ${description}`, {
    violations: [{ field: "replicas", description }],
  });
}

function scaled(record: FleetRecord, replicas: number): FleetRecord {
  assertActive(record);
  if (record.spec.replicas === replicas) return record;
  const wishes = record.wishes.filter((wish) => wish.index < replicas);
  return { ...record, spec: { ...record.spec, replicas }, wishes };
}

/** What the request would write. */
function changesOf(context: ApiContext, { fleets, deletes, drains }: PlanFleetsRequest) {
  const { control } = context.coordinator.picture();
  const applied = parseSpecs(fleets).map((spec) =>
    declaredRecord(context, spec, control.fleets.get(spec.name)?.value),
  );
  const deleted = deletes.map((name) => deleting(findFleet(context, name).value));
  const drained = drains.map((name) => findHost(context, name).name);
  return { fleets: [...applied, ...deleted], drains: drained };
}
