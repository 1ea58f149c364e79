import type { Cluster } from "../place.ts";
import { place } from "../place.ts";
import type { PlaceRequest } from "../rule.ts";
import type { FleetRecord } from "../snapshot.ts";
import type { Resources } from "../spec.ts";
import type { Cause } from "./decide.ts";
import type { Demands } from "./demands.ts";
import { actionOn, addEntry, type HostWork, type Member, type Work, wait } from "./work.ts";

/** An instance that needs a host. */
export type Vacancy = {
  readonly member: Member;
  readonly incarnation: number;
  /** Where its last incarnation was, and why it is not there any more. */
  readonly prior: HostWork | undefined;
  readonly cause: Cause | undefined;
};

/** The vacancies of one fleet, by index: they all ask for the same. */
export type Batch = { readonly record: FleetRecord; readonly vacancies: readonly Vacancy[] };

/**
 * Gives every vacancy a host, or says why there is none. Those that are made afresh on their own
 * host come first, for the room there is theirs; then fleet by fleet, the large before the small,
 * which packs better.
 */
export function assign(work: Work, demands: Demands, batches: readonly Batch[]): void {
  const hostOf = new Map(work.hosts.map((host) => [host.load.name, host]));
  const total = totalCapacity(work.cluster);
  const sized = batches.map((batch) => {
    const request = demands.toPlace(batch.record);
    return { ...batch, request, size: sizeOf(request.resources, total) };
  });
  sized.sort((a, b) => b.size - a.size);
  for (const isInPlace of [true, false]) {
    for (const { record, request, vacancies } of sized) {
      for (const vacancy of vacancies) {
        if (staysInPlace(vacancy) === isInPlace) fill(record, request, vacancy);
      }
    }
  }

  function fill(record: FleetRecord, request: PlaceRequest, vacancy: Vacancy): void {
    const { member, incarnation, prior, cause } = vacancy;
    const prefer = staysInPlace(vacancy) ? prior?.load.name : undefined;
    const result = place(work.cluster, request, prefer);
    const host = result.kind === "placed" ? hostOf.get(result.host.name) : undefined;
    if (result.kind === "wait" || host === undefined) {
      wait(work, member, "no host admits it", result.kind === "wait" ? result.refusals : []);
      return;
    }
    work.cluster.claim(host.load, request, "all");
    const { template } = record;
    const details = { incarnation, template, desired: "run", observed: undefined } as const;
    const entry = addEntry(member, host, details);
    work.actions.push(actionOn(entry, cause ?? "create", REASONS[cause ?? "create"], prior));
  }
}

const staysInPlace = ({ cause }: Vacancy): boolean => cause === "replace" || cause === "restart";

const REASONS = {
  create: "it is wanted",
  replace: "its template changed",
  restart: "a restart was asked for",
  move: "its host is lost or draining",
} as const;

function totalCapacity({ hosts }: Cluster): Resources {
  const total = { vcpuMillis: 1, memoryMib: 1, diskMib: 1 };
  for (const { limit } of hosts) {
    total.vcpuMillis += limit.vcpuMillis;
    total.memoryMib += limit.memoryMib;
    total.diskMib += limit.diskMib;
  }
  return total;
}

/** How much of the whole it takes, over the three resources. */
const sizeOf = (one: Resources, total: Resources): number =>
  one.vcpuMillis / total.vcpuMillis + one.memoryMib / total.memoryMib + one.diskMib / total.diskMib;
