/** Updates of fleets: pause, resume, roll back. */
import { type FleetRecord, failuresOf, resumed, rolledBack, withRolloutState } from "@evm/fleet";
import { type FleetService, type Handlers, RpcError } from "@evm/protocol";
import { assertActive, changeFleet, findFleet } from "./change-fleet.ts";
import type { ApiContext } from "./context.ts";
import { shownFleet } from "./fleet-view.ts";

type RolloutHandlers = Pick<
  Handlers<typeof FleetService>,
  "pauseRollout" | "resumeRollout" | "rollbackFleet"
>;

/** Why an update is held or undone that nothing else is wrong with. */
const PAUSED_BECAUSE = "an operator paused it";
const UNDONE_BECAUSE = "an operator asked for it";

export function rolloutHandlers(context: ApiContext): RolloutHandlers {
  const { announcer } = context.coordinator;
  const failures = (record: FleetRecord, template: FleetRecord["template"]) =>
    failuresOf(context.coordinator.picture().snapshot, record.spec.name, template);
  return {
    async pauseRollout({ name, expectedRevision }, { signal }) {
      if (await changeFleet(context, { name, expectedRevision, change: paused, signal })) {
        announcer.rollout(findFleet(context, name).value);
      }
      return { fleet: shownFleet(context, name) };
    },
    async resumeRollout({ name, expectedRevision, confirmed }, { signal }) {
      const change = (record: FleetRecord) =>
        record.rollout.state.kind !== "done" && isHeld(record)
          ? resumed(record, failures(record, record.template))
          : record;
      if (await changeFleet(context, { name, expectedRevision, change, confirmed, signal })) {
        announcer.say("info", "RolloutResumed", `${name}: its update goes on`, { fleet: name });
      }
      return { fleet: shownFleet(context, name) };
    },
    async rollbackFleet({ name, expectedTemplateDigest, confirmed }, { signal }) {
      assertNamed(expectedTemplateDigest);
      const change = (record: FleetRecord) =>
        record.template === expectedTemplateDigest ? undone(record, failures) : record;
      const request = { name, expectedRevision: undefined, change, confirmed, signal };
      if (await changeFleet(context, request)) {
        announcer.rollout(findFleet(context, name).value);
      }
      return { fleet: shownFleet(context, name) };
    },
  };
}

function assertNamed(expectedTemplateDigest: string): void {
  if (expectedTemplateDigest !== "") return;
  const violation = {
    field: "expected_template_digest",
    description: "the digest of the template to be gone back from",
  };
  const message = "rollback: which template is to be gone back from is not said";
  throw new RpcError("invalidArgument", message, { violations: [violation] });
}

/** "Already so" is success; there has to be something to hold. */
const paused = (record: FleetRecord): FleetRecord =>
  isHeld(record) ? record : withRolloutState(record, { kind: "paused", reason: PAUSED_BECAUSE });

function isHeld(record: FleetRecord): boolean {
  assertActive(record);
  const { kind } = record.rollout.state;
  if (kind !== "done") return kind !== "going";
  const { name } = record.spec;
  throw new RpcError("failedPrecondition", `fleet "${name}": no update of it is under way`);
}

function undone(
  record: FleetRecord,
  failures: (record: FleetRecord, template: FleetRecord["template"]) => readonly number[],
): FleetRecord {
  assertActive(record);
  const { previous } = record.rollout;
  const known = previous === undefined ? [] : failures(record, previous.digest);
  const before = rolledBack(record, UNDONE_BECAUSE, known);
  if (before !== undefined) return before;
  const text = `fleet "${record.spec.name}": it never had another template to go back to`;
  throw new RpcError("failedPrecondition", text);
}
