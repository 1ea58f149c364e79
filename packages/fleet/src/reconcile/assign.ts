import type { Cluster } from "../place.ts";
import { place } from "../place.ts";
import { SURGE_INDEX } from "../rollout.ts";
import type { Resources } from "../spec.ts";
import type { Cause } from "./decide.ts";
import type { Demands } from "./demands.ts";
import { type Next, reserve } from "./reserve.ts";
import type { SettledFleet } from "./settle-fleet.ts";
import { actionOn, addEntry, type Entry, type Member, order, type Work, wait } from "./work.ts";

/** An instance that needs a host. */
export type Vacancy = {
  readonly member: Member;
  readonly incarnation: number;
  /** Its last incarnation, and why it is not to go on. */
  readonly prior: Entry | undefined;
  readonly cause: Cause | undefined;
  readonly next: Next;
  /** True where the end of `prior` was planned, so that its disk may go. */
  readonly discardsPrior: boolean;
};

/**
 * Gives every vacancy a host, or says why there is none. Those that are made afresh on their own
 * host come first, for the room there is theirs; then those that have to move, and room is kept for
 * those that will; then new ones. Of each the large come before the small, which packs better.
 */
export function assign(work: Work, demands: Demands, fleets: readonly SettledFleet[]): void {
  const hostOf = new Map(work.hosts.map((host) => [host.load.name, host]));
  const total = totalCapacity(work.cluster);
  const sized = fleets.map((fleet) => {
    return { ...fleet, size: sizeOf(fleet.record.spec.template.resources, total) };
  });
  sized.sort((a, b) => b.size - a.size);
  fillThose(staysInPlace);
  fillThose(moves);
  for (const { endings } of sized) {
    for (const ending of endings) reserve(work, demands, ending);
  }
  fillThose(isNew);

  function fillThose(isTheirTurn: (vacancy: Vacancy) => boolean): void {
    for (const fleet of sized) {
      for (const vacancy of fleet.vacancies) {
        if (isTheirTurn(vacancy)) fill(vacancy);
      }
    }
  }

  function fill(vacancy: Vacancy): void {
    const { member, incarnation, prior, cause, discardsPrior } = vacancy;
    const { template, request } = vacancy.next;
    if (discardsPrior && cause !== "move") discard(work, vacancy);
    const prefer = staysInPlace(vacancy) ? prior?.host.load.name : undefined;
    const result = place(work.cluster, request, prefer);
    const host = result.kind === "placed" ? hostOf.get(result.host.name) : undefined;
    if (result.kind === "wait" || host === undefined) {
      wait(work, member, "no host admits it", result.kind === "wait" ? result.refusals : []);
      return;
    }
    // Until it has another host it can be resumed where it was, should the drain be called off.
    if (discardsPrior && cause === "move") discard(work, vacancy);
    // Its host is lost. Until it has another it stays ordered, and goes on should the host return.
    if (prior?.desired === "run") order(work, prior, "stop", `${prior.host.view.name} is lost`);
    work.cluster.claim(host.load, request, "all");
    const details = { incarnation, template, desired: "run", observed: undefined } as const;
    const entry = addEntry(member, host, details);
    work.actions.push(actionOn(entry, cause ?? "create", reasonToMake(vacancy), prior?.host));
  }
}

function discard(work: Work, { prior, cause }: Vacancy): void {
  if (prior === undefined) return;
  order(work, prior, "discard", `it has stopped, to be made afresh: ${cause}`);
}

const staysInPlace = ({ cause }: Vacancy): boolean => cause === "replace" || cause === "restart";
const moves = ({ cause }: Vacancy): boolean => cause === "move";
const isNew = ({ cause }: Vacancy): boolean => cause === undefined;

function reasonToMake({ cause, member }: Vacancy): string {
  if (cause !== undefined) return REASONS[cause];
  return member.index < SURGE_INDEX ? "it is wanted" : "an extra one, while others are replaced";
}

const REASONS = {
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
