/**
 * The coordinator's decision: the whole of what should be against the whole of what is.
 *
 * Pure, deterministic, near linear. Asked again after every change, it takes the next step; it
 * remembers nothing, so everything follows from the fleets, the orders and the reports:
 *
 *  1. survey        index the snapshot
 *  2. allowSurge    how many extra instances a fleet has while others are replaced or moved
 *  3. forget        leave out discards that are done, but for the newest of a wanted instance
 *  4. retire        deleted fleets and surplus instances → discard, a wave at a time; undeclared
 *                   fleets → stop (I4)
 *  5. adopt         what runs and is newer than every order is ordered where it is (I1)
 *  6. supersede     stop all but the newest incarnation of an instance; keep their disks (I4)
 *  7. countPromises what is promised on every host (I3)
 *  8. settleFleet   what each wanted instance needs: nothing, stop, resume, an end, a host; another
 *                   host only once its own reports it stopped (I1). Whether its update is done, or
 *                   is to be halted or undone
 *  9. assign        hosts for those that need one (I3), or the reasons why there is none (I8)
 * 10. endInTurn     what is to be made afresh is ended in turn: where its own host takes the next
 *                   incarnation, in one document with it; else stopped, where there is room for it
 * 11. writeOrders   the documents that change, under this epoch and the next generation (I5)
 *
 * The newest entry of an instance says all: `run` is where it is; `stop` is resting, on its way to
 * be made afresh, or abandoned on a lost host, and which of these follows from wish, template and
 * host, so changing one's mind (undrain, start again) resumes it; `discard` is on its way out, and
 * listed, even when it is gone, until another follows it, and behind that one until it is gone.
 * Older entries marked `stop` are in quarantine. A planned end (replace, restart, drain) is an
 * explicit discard: the new incarnation is made from its image. A host's loss is not: the old disk
 * is kept until the fleet is deleted or scaled down.
 */
import { type Brake, describeBrake } from "./brake.ts";
import type { FleetName, HostName } from "./ids.ts";
import type { Note, Plan } from "./plan.ts";
import { recall } from "./recall.ts";
import { adopt } from "./reconcile/adopt.ts";
import { allowSurge } from "./reconcile/allow-surge.ts";
import { assign } from "./reconcile/assign.ts";
import { countPromises } from "./reconcile/count-promises.ts";
import { Demands } from "./reconcile/demands.ts";
import { endInTurn } from "./reconcile/end-in-turn.ts";
import { forget } from "./reconcile/forget.ts";
import { retire } from "./reconcile/retire.ts";
import { type SettledFleet, settleFleet } from "./reconcile/settle-fleet.ts";
import { supersede } from "./reconcile/supersede.ts";
import { survey } from "./reconcile/survey.ts";
import type { Work } from "./reconcile/work.ts";
import { writeOrders } from "./reconcile/write-orders.ts";
import { nameSome } from "./rule.ts";
import type { Snapshot } from "./snapshot.ts";

/** Makes the plan that brings the cluster one step closer to what is declared. Changes nothing. */
export function reconcile(snapshot: Snapshot): Plan {
  const newer = snapshot.hosts.find((host) => (host.orders?.epoch ?? 0) > snapshot.epoch);
  if (newer !== undefined) return deposed(snapshot.epoch, newer.orders?.epoch ?? 0);
  const memory = recall(snapshot);
  if (memory.kind === "lost") return nothing(forgotten(memory.hosts));

  const work = survey(snapshot);
  if (snapshot.brake !== undefined) work.notes.push(brakeNote(snapshot.brake));
  allowSurge(work);
  forget(work);
  retire(work);
  adopt(work);
  supersede(work);
  const demands = new Demands(work);
  countPromises(work, demands);
  if (memory.estranged.size > 0) work.notes.push(estranged([...memory.estranged]));
  const settled: SettledFleet[] = [];
  for (const fleet of work.fleets.values()) {
    const { record } = fleet;
    if (record?.state !== "active") continue;
    settled.push(settleFleet(work, demands, fleet, record));
  }
  assign(work, demands, settled);
  for (const fleet of settled) endInTurn(work, demands, fleet);
  return {
    orders: writeOrders(work),
    actions: work.actions,
    waiting: work.waiting,
    notes: work.notes,
    fleets: work.records,
    forgottenFleets: forgottenFleets(work),
    watched: work.watched,
  };
}

function brakeNote(brake: Brake): Note {
  const held = `${brake.held.size} of them would be lost, and nothing of theirs is moved`;
  return { severity: "warning", text: `the brake holds: ${describeBrake(brake)}; ${held}` };
}

/** Deleting fleets of which no order and no report names anything any more. */
function forgottenFleets(work: Work): readonly FleetName[] {
  const forgotten: FleetName[] = [];
  for (const { name, record, members } of work.fleets.values()) {
    if (record?.state !== "deleting") continue;
    const isLeft = [...members.values()].some(({ entries }) =>
      entries.some((entry) => entry.desired !== "forgotten"),
    );
    if (!isLeft) forgotten.push(name);
  }
  return forgotten;
}

/** A leader that finds orders of a later epoch leads no more: it plans nothing (I5). */
function deposed(own: number, later: number): Plan {
  const text = `orders of epoch ${later} exist; epoch ${own} plans nothing any more`;
  return nothing({ severity: "warning", text });
}

const nothing = (note: Note): Plan => ({
  orders: [],
  actions: [],
  waiting: [],
  notes: [note],
  fleets: [],
  forgottenFleets: [],
  watched: new Set(),
});

/** Nothing is planned on a memory that is older than what runs (see `recall`). */
function forgotten(hosts: readonly HostName[]): Note {
  const text = `the control state is older than what ${nameSome(hosts)} go by: nothing is planned`;
  return { severity: "warning", text: `${text} until evm restore rebuilds it` };
}

function estranged(hosts: readonly HostName[]): Note {
  const verb = hosts.length === 1 ? "goes" : "go";
  const text = `${nameSome(hosts)} ${verb} by orders that are not known here: nothing is ordered`;
  return { severity: "warning", text: `${text} there until evm restore takes them in` };
}
