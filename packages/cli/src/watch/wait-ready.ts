/** Waiting until fleets are ready. */
import { Desired, type Fleet, type Instance, Phase, RolloutState } from "@evm/protocol";
import { CliError } from "../cli-error.ts";
import type { Context } from "../context.ts";
import { listInstances } from "../lists.ts";
import { phaseCounts } from "../output/format.ts";
import { countText, missingLines } from "./missing.ts";
import { fleetStates, newestByName } from "./states.ts";
import { waitFor } from "./wait-for.ts";

/**
 * The fleets as they are once each has as many ready instances as it wants, all of the template
 * that it has now.
 *
 * @throws CliError `failed` as soon as an instance has failed, an update is held, or goes back, or
 * `timeout`; what is not ready is named
 */
export async function waitReady(
  context: Context,
  given: readonly Fleet[],
  timeoutMs: number,
): Promise<readonly Fleet[]> {
  const names = given.map((fleet) => fleet.spec?.name ?? "");
  const templates = new Map(given.map((fleet) => [fleet.spec?.name, fleet.templateDigest]));
  const broken = (fleet: Fleet | undefined) =>
    fleet && brokenOff(fleet, templates.get(fleet.spec?.name));
  const [only = ""] = names.length === 1 ? names : [];
  const state = await waitFor(context, {
    watch: (signal) => fleetStates(context, only, signal),
    isDone: (fleets) =>
      names.every((name) => isReady(fleets.get(name))) ||
      names.some((name) => {
        const fleet = fleets.get(name);
        return fleet === undefined || broken(fleet) !== undefined || hasFailed(fleet);
      }),
    progress: (fleets) => names.map((name) => readinessLine(name, fleets.get(name))).join("\n"),
    timeoutMs,
    missing: () => notReady(context, names),
  });
  const fleets = names.flatMap((name) => state.get(name) ?? []);
  if (fleets.length < names.length) {
    const gone = names.filter((name) => !state.has(name));
    throw new CliError("notFound", `deleted meanwhile: ${gone.join(", ")}`);
  }
  const reasons = fleets.flatMap((fleet) => broken(fleet) ?? []);
  if (reasons.length > 0) throw new CliError("failed", reasons.join("\n"));
  if (!fleets.some(hasFailed)) return fleets;
  throw new CliError("failed", await notReady(context, names));
}

const wanted = (fleet: Fleet): number => (fleet.spec?.replicas ?? 0) - fleet.stoppedByWish;

const isUpdating = ({ rollout }: Fleet): boolean => rollout?.state === RolloutState.GOING;

const isReady = (fleet: Fleet | undefined): boolean =>
  fleet !== undefined && fleet.ready >= wanted(fleet) && !isUpdating(fleet);

/** Of an update that goes on its policy decides, and says so. */
const hasFailed = (fleet: Fleet): boolean =>
  !isUpdating(fleet) &&
  fleet.phases.some(({ phase, count }) => phase === Phase.FAILED && count > 0);

/** Why its update comes to no good end. */
function brokenOff(fleet: Fleet, template: string | undefined): string | undefined {
  const name = fleet.spec?.name ?? "";
  const { state, holdReason, rolledBackBecause } = fleet.rollout ?? {};
  if (state === RolloutState.HALTED) return `the update of ${name} is halted: ${holdReason}`;
  if (state === RolloutState.PAUSED) return `the update of ${name} is paused: ${holdReason}`;
  if (fleet.templateDigest === template) return undefined;
  return rolledBackBecause
    ? `the update of ${name} was rolled back: ${rolledBackBecause}`
    : `${name} was given another template meanwhile`;
}

/** `school-linux 3/4 ready, 1 starting` */
export function readinessLine(name: string, fleet: Fleet | undefined): string {
  if (fleet === undefined) return `${name} is gone`;
  const others = fleet.phases.filter(({ phase }) => phase !== Phase.READY);
  const rest = others.length === 0 ? "" : `, ${phaseCounts(others)}`;
  const outdated = fleet.outdated === 0 ? "" : `, ${fleet.outdated} outdated`;
  return `${name} ${fleet.ready}/${wanted(fleet)} ready${rest}${outdated}`;
}

async function notReady(context: Context, names: readonly string[]): Promise<string> {
  const lists = await Promise.all(names.map((fleet) => listInstances(context, { fleet })));
  const missing = [...newestByName(lists.flat()).values()].filter(isMissing);
  const lines = await missingLines(context, missing);
  return [`${countText(missing.length)} not ready`, ...lines].join("\n");
}

const isMissing = ({ phase, desired }: Instance): boolean =>
  phase !== Phase.READY && !(phase === Phase.STOPPED && desired !== Desired.RUN);
