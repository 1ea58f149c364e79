/** How the update of a fleet stands, in words. */
import { type Fleet, FleetState, RolloutState } from "@evm/protocol";
import { styled, type Terminal } from "./output/terminal.ts";

/** One word for what goes on with a fleet as a whole. */
export function stateWord(fleet: Fleet): string {
  if (fleet.state === FleetState.DELETING) return "deleting";
  const isBack = wasRolledBack(fleet);
  switch (fleet.rollout?.state) {
    case RolloutState.GOING:
      return isBack ? "rolling back" : "updating";
    case RolloutState.PAUSED:
      return "paused";
    case RolloutState.HALTED:
      return "halted";
    default:
      return isBack ? "rolled back" : "active";
  }
}

const wasRolledBack = ({ rollout }: Fleet): boolean => (rollout?.rolledBackBecause ?? "") !== "";

/** Why it is held or was undone; empty where neither. */
export const rolloutReason = ({ rollout }: Fleet): string =>
  rollout === undefined ? "" : rollout.holdReason || rollout.rolledBackBecause;

/** The same as a sentence, with what an operator can do. */
export function rolloutRemark(fleet: Fleet): string | undefined {
  const name = fleet.spec?.name ?? "";
  const reason = rolloutReason(fleet);
  if (reason === "") return undefined;
  const text = `${name} is ${stateWord(fleet)}: ${reason}`;
  switch (fleet.rollout?.state) {
    case RolloutState.PAUSED:
    case RolloutState.HALTED:
      return `${text}; go on: evm rollout resume ${name}, or back: evm rollback ${name}`;
    default:
      return text;
  }
}

const wanted = (fleet: Fleet): number => (fleet.spec?.replicas ?? 0) - fleet.stoppedByWish;

/** All that `evm rollout` says of one fleet. */
export function rolloutText(terminal: Terminal, fleet: Fleet): string {
  const { failureThreshold = 1 } = fleet.spec?.update ?? {};
  const rows: readonly (readonly [title: string, text: string])[] = [
    ["STATE", stateText(terminal, fleet)],
    ["UPDATED", `${fleet.updated} of ${wanted(fleet)}`],
    ["READY", `${fleet.ready} of ${wanted(fleet)}`],
    ["OUTDATED", String(fleet.outdated)],
    ["FAILED", `${fleet.failed}, ${failureThreshold} would stop it`],
    ...(fleet.extra === 0 ? [] : [["EXTRA", String(fleet.extra)] as const]),
    ["TEMPLATE", fleet.templateDigest],
    ["PREVIOUS", fleet.rollout?.previous?.digest ?? "-"],
  ];
  const width = Math.max(...rows.map(([title]) => title.length)) + 2;
  const lines = rows.map(([title, text]) => styled(terminal, "bold", title.padEnd(width)) + text);
  const remark = rolloutRemark(fleet);
  return `${[...lines, ...(remark === undefined ? [] : [remark])].join("\n")}\n`;
}

function stateText(terminal: Terminal, fleet: Fleet): string {
  const word = stateWord(fleet);
  switch (fleet.rollout?.state) {
    case RolloutState.GOING:
      return styled(terminal, "yellow", word);
    case RolloutState.PAUSED:
    case RolloutState.HALTED:
      return styled(terminal, "red", word);
    default:
      return word;
  }
}
