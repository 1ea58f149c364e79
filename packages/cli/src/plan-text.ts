/** Plans as people read them. */
import {
  type Action,
  ActionKind,
  type Plan,
  type PlanFleetsResponse,
  type Waiting,
} from "@evm/protocol";
import { CliError } from "./cli-error.ts";
import { styled, type Terminal } from "./output/terminal.ts";

const KINDS = {
  [ActionKind.UNSPECIFIED]: { sign: "?", verb: "change", style: "dim" },
  [ActionKind.CREATE]: { sign: "+", verb: "create", style: "green" },
  [ActionKind.REPLACE]: { sign: "~", verb: "replace", style: "yellow" },
  [ActionKind.MOVE]: { sign: ">", verb: "move", style: "yellow" },
  [ActionKind.RESTART]: { sign: "~", verb: "restart", style: "yellow" },
  [ActionKind.RESUME]: { sign: "+", verb: "start", style: "green" },
  [ActionKind.STOP]: { sign: "-", verb: "stop", style: "red" },
  [ActionKind.DISCARD]: { sign: "x", verb: "discard", style: "red" },
  [ActionKind.FORGET]: { sign: " ", verb: "forget", style: "dim" },
} as const;

const kindOf = (kind: ActionKind) => (isKnown(kind) ? KINDS[kind] : KINDS[ActionKind.UNSPECIFIED]);

const isKnown = (kind: ActionKind): kind is keyof typeof KINDS => Object.hasOwn(KINDS, kind);

/** `create school-linux-0001 on h1: the fleet wants it` */
export function actionLine({ kind, instance, host, fromHost, reason }: Action): string {
  const where = fromHost === "" || fromHost === host ? `on ${host}` : `from ${fromHost} to ${host}`;
  return `${kindOf(kind).verb} ${instance} ${where}: ${reason}`;
}

/** A plan that was asked for, and what it takes to have it carried out. */
export function plannedText(terminal: Terminal, { plan, blastRadius }: PlanFleetsResponse): string {
  if (plan === undefined) throw new CliError("failed", "the server sent no plan");
  const text = planText(terminal, plan);
  if (blastRadius?.needsConfirmation !== true) return text;
  const { instances, ofInstances, hosts, ofHosts } = blastRadius;
  const what = `${instances} of ${ofInstances} instances on ${hosts} of ${ofHosts} hosts`;
  return `${text}This disturbs ${what}, and so needs --confirm ${instances}.\n`;
}

/** The whole plan: what would happen, what waits, and a sum. */
export function planText(terminal: Terminal, plan: Plan): string {
  const waves = Map.groupBy(plan.actions, ({ wave }) => wave);
  const actions = [...waves].flatMap(([wave, group]) => {
    const lines = group.map((action) => {
      const { sign, style } = kindOf(action.kind);
      return styled(terminal, style, `${sign} ${actionLine(action)}`);
    });
    // Where all begin at once there is nothing to tell apart.
    return waves.size === 1 ? lines : [styled(terminal, "dim", `wave ${wave}:`), ...lines];
  });
  const waiting = plan.waiting.map((item) => waitingLine(terminal, item));
  const notes = plan.notes.map((note) => `note: ${note}`);
  return `${[...actions, ...waiting, ...notes, summary(plan)].join("\n")}\n`;
}

/** `3 to create, 1 waiting`; "nothing to do" for an empty plan. */
export function summary({ actions, waiting }: Plan): string {
  const counts = [...Map.groupBy(actions, (action) => kindOf(action.kind).verb)].map(
    ([verb, group]) => `${group.length} to ${verb}`,
  );
  if (waiting.length > 0) counts.push(`${waiting.length} waiting`);
  return counts.length === 0 ? "Nothing to do." : `${counts.join(", ")}.`;
}

/** `! school-linux-0001 waits: no host fits`, with what turned hosts away. */
export function waitingLine(terminal: Terminal, { instance, reason, refusals }: Waiting): string {
  const details = refusals.map((refusal) => `\n    ${refusal.rule}: ${refusal.text}`).join("");
  return styled(terminal, "yellow", `! ${instance} waits: ${reason}${details}`);
}
