/** Fleets: apply, plan, get, list, watch, scale, delete, undelete. */
import { planCodec } from "@evm/codec";
import { type FleetRecord, forecast } from "@evm/fleet";
import { type FleetService, type Handlers, type PlanFleetsRequest, RpcError } from "@evm/protocol";
import { applyFleets, declaredRecord, parseSpecs } from "./apply.ts";
import { assertActive, changeFleet, findFleet } from "./change-fleet.ts";
import type { ApiContext } from "./context.ts";
import { notFound } from "./errors.ts";
import { fleetViewOf, fleetViews } from "./fleet-view.ts";
import { pageOf } from "./paging.ts";
import { watchView } from "./watch.ts";

/** The largest fleet; beyond it the orders of its hosts would grow past their limit. */
const MAX_REPLICAS = 100_000;

export function fleetHandlers(context: ApiContext): Handlers<typeof FleetService> {
  const view = (name: string) => {
    const fleet = fleetViewOf(context, name);
    if (fleet === undefined) throw notFound("fleet", name);
    return { fleet };
  };
  return {
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
      const plan = forecast(hypothetical(context, request));
      const notes = plan.notes.map((note) => note.text);
      return { plan: planCodec.toWire({ ...plan, notes }) };
    },
    async getFleet({ name }) {
      return view(name);
    },
    async listFleets(request) {
      const { page, nextPageToken } = pageOf([...fleetViews(context)], request, ([name]) => name);
      return { fleets: page.map(([, fleet]) => fleet), nextPageToken };
    },
    watchFleets: ({ name }, { signal }) => watchFleets(context, name, signal),
    async scaleFleet({ name, replicas, expectedRevision }, { signal }) {
      assertReplicas(replicas);
      const change = (record: FleetRecord) => scaled(record, replicas);
      if (await changeFleet(context, { name, expectedRevision, change, signal })) {
        const text = `${name} to ${replicas}`;
        context.coordinator.announcer.say("info", "FleetScaled", text, { fleet: name });
      }
      return view(name);
    },
    async deleteFleet({ name, expectedRevision }, { signal }) {
      const before = fleetViewOf(context, name);
      if (await changeFleet(context, { name, expectedRevision, change: deleting, signal })) {
        const text = `${name} is to be stopped and discarded`;
        context.coordinator.announcer.say("info", "FleetDeleted", text, { fleet: name });
      }
      // A fleet of which nothing runs may be gone before it can be shown once more.
      const fleet = fleetViewOf(context, name) ?? before;
      if (fleet === undefined) throw notFound("fleet", name);
      return { fleet };
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

const deleting = (record: FleetRecord): FleetRecord =>
  record.state === "deleting" ? record : { ...record, state: "deleting" };

const kept = (record: FleetRecord): FleetRecord =>
  record.state === "active" ? record : { ...record, state: "active" };

/** What would be decided on if the request had been carried out. */
function hypothetical(context: ApiContext, request: PlanFleetsRequest) {
  const snapshot = context.coordinator.picture().snapshot;
  const fleets = new Map<string, FleetRecord>();
  for (const fleet of snapshot.fleets) fleets.set(fleet.spec.name, fleet);
  for (const spec of parseSpecs(request.fleets)) {
    fleets.set(spec.name, declaredRecord(context, spec, fleets.get(spec.name)));
  }
  for (const name of request.deletes) {
    fleets.set(name, deleting(findFleet(context, name).value));
  }
  const sorted = [...fleets.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...snapshot, fleets: sorted.map(([, fleet]) => fleet) };
}
