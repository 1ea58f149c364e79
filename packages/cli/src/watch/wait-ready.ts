/** Waiting until fleets are ready. */
import { Desired, type Fleet, type Instance, Phase } from "@evm/protocol";
import { CliError } from "../cli-error.ts";
import type { Context } from "../context.ts";
import { listInstances } from "../lists.ts";
import { phaseCounts } from "../output/format.ts";
import { countText, missingLines } from "./missing.ts";
import { fleetStates, newestByName } from "./states.ts";
import { waitFor } from "./wait-for.ts";

/**
 * The fleets as they are once each has as many ready instances as it wants.
 * @throws CliError `failed` as soon as an instance has failed, or `timeout`; what is not ready is
 * named
 */
export async function waitReady(
  context: Context,
  names: readonly string[],
  timeoutMs: number,
): Promise<readonly Fleet[]> {
  const [only = ""] = names.length === 1 ? names : [];
  const state = await waitFor(context, {
    watch: (signal) => fleetStates(context, only, signal),
    isDone: (fleets) =>
      names.every((name) => isReady(fleets.get(name))) ||
      names.some((name) => !fleets.has(name) || hasFailed(fleets.get(name))),
    progress: (fleets) => names.map((name) => readinessLine(name, fleets.get(name))).join("\n"),
    timeoutMs,
    missing: () => notReady(context, names),
  });
  const fleets = names.flatMap((name) => state.get(name) ?? []);
  if (fleets.length < names.length) {
    const gone = names.filter((name) => !state.has(name));
    throw new CliError("notFound", `deleted meanwhile: ${gone.join(", ")}`);
  }
  if (!fleets.some(hasFailed)) return fleets;
  throw new CliError("failed", await notReady(context, names));
}

const wanted = (fleet: Fleet): number => (fleet.spec?.replicas ?? 0) - fleet.stoppedByWish;

const isReady = (fleet: Fleet | undefined): boolean =>
  fleet !== undefined && fleet.ready >= wanted(fleet);

const hasFailed = (fleet: Fleet | undefined): boolean =>
  fleet?.phases.some(({ phase, count }) => phase === Phase.FAILED && count > 0) ?? false;

/** `school-linux 3/4 ready, 1 starting` */
export function readinessLine(name: string, fleet: Fleet | undefined): string {
  if (fleet === undefined) return `${name} is gone`;
  const others = fleet.phases.filter(({ phase }) => phase !== Phase.READY);
  const rest = others.length === 0 ? "" : `, ${phaseCounts(others)}`;
  return `${name} ${fleet.ready}/${wanted(fleet)} ready${rest}`;
}

async function notReady(context: Context, names: readonly string[]): Promise<string> {
  const lists = await Promise.all(names.map((fleet) => listInstances(context, { fleet })));
  const missing = [...newestByName(lists.flat()).values()].filter(isMissing);
  const lines = await missingLines(context, missing);
  return [`${countText(missing.length)} not ready`, ...lines].join("\n");
}

const isMissing = ({ phase, desired }: Instance): boolean =>
  phase !== Phase.READY && !(phase === Phase.STOPPED && desired !== Desired.RUN);
