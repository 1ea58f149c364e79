import { failuresOf, rolledBack, withRolloutState } from "../rollout.ts";
import { nameSome } from "../rule.ts";
import type { FleetRecord } from "../snapshot.ts";
import type { Work } from "./work.ts";

/** What counts for and against the update of a fleet. */
export type Tally = {
  /** Instances of the present template that have failed, but for those of which it is known. */
  readonly failures: readonly Failure[];
  /** Replicas that are to run and are not ready. */
  readonly unready: number;
  /** Instances of another template that are ready. */
  readonly outdated: number;
};

export type Failure = { readonly name: string; readonly reason: string | undefined };

/**
 * Ends an update that is done; at the failure threshold halts it, or goes back to the previous
 * template as its policy says. What is being rolled back has nothing to go back to, so that is
 * halted too. True where nothing more may be replaced.
 */
export function judgeRollout(work: Work, record: FleetRecord, tally: Tally): boolean {
  const { spec, rollout } = record;
  const { state } = rollout;
  if (state.kind === "paused" || state.kind === "halted") noteHold(work, record);
  if (state.kind !== "going") return false;
  const { failures, unready, outdated } = tally;
  if (failures.length < spec.update.failureThreshold) {
    if (unready === 0 && outdated === 0) {
      work.records.push(withRolloutState(record, { kind: "done" }));
    }
    return false;
  }
  const reason = describe(failures);
  const mayGoBack = spec.update.onFailure === "rollback" && rollout.rolledBackBecause === undefined;
  work.records.push(
    (mayGoBack ? goneBack(work, record, reason) : undefined) ??
      withRolloutState(record, { kind: "halted", reason }),
  );
  return true;
}

function goneBack({ snapshot }: Work, record: FleetRecord, reason: string) {
  const { previous } = record.rollout;
  if (previous === undefined) return undefined;
  return rolledBack(record, reason, failuresOf(snapshot, record.spec.name, previous.digest));
}

/** `web-0003 has failed: it ended with a failure` */
function describe(failures: readonly Failure[]): string {
  const verb = failures.length === 1 ? "has" : "have";
  const reason = failures.find((one) => one.reason !== undefined)?.reason;
  const names = nameSome(failures.map((one) => one.name));
  return `${names} ${verb} failed${reason === undefined ? "" : `: ${reason}`}`;
}

/** Why an instance that is to be replaced is not. */
export function heldBecause({ rollout: { state } }: FleetRecord): string {
  return "reason" in state ? `its update is ${state.kind}: ${state.reason}` : "its update is held";
}

function noteHold(work: Work, record: FleetRecord): void {
  const { name } = record.spec;
  const remedy = `resume it, go back with \`evm rollback ${name}\`, or apply another template`;
  work.notes.push({
    severity: "warning",
    text: `fleet ${name}: ${heldBecause(record)}; ${remedy}`,
  });
}
