/**
 * The leader's loop: snapshot → reconcile → check → commit, at its own pace over the whole state.
 *
 *  P1 Nothing is committed that `check` objects to.
 *  P2 A rejected commit is normal: the next pass reads again and plans again.
 *  P3 Only the holder of an epoch commits, and only under that epoch.
 *  P4 Nothing is planned on a view from before the epoch or before the planner's own last commit:
 *     a commit is compared with the orders that it rewrites, and not with those of other hosts, so
 *     an old view would order on a second host what is on a first one already (I1).
 *  P5 Where it is not known what became of a commit, nothing more is planned under its epoch: it
 *     may happen yet, and only a new epoch makes sure that it does not.
 *  P6 Nothing is planned while the control state is older than what a host was ordered, and nothing
 *     for a host whose orders are not known: `recall` tells, `reconcile` and `check` obey.
 */
import { ordersCodec } from "@evm/codec";
import { check, type HostName, type Orders, type Plan } from "@evm/fleet";
import {
  type CommitOutcome,
  type CommitRequest,
  type CoordinatorStore,
  MAX_COMMIT_WRITES,
  MAX_ORDERS_BYTES,
  StoreError,
} from "@evm/store";
import type { Log } from "@evm/telemetry";
import type { Announcer } from "./announcer.ts";
import type { CoordinatorMetrics } from "./metrics.ts";
import type { Picture } from "./picture.ts";

/** Fleets are changed and forgotten a few at a time; the rest of a commit is for orders. */
const MAX_FLEETS_PER_COMMIT = 90;
/** Enough to see what is wrong with a plan; a broken one may break a rule for every instance. */
const MAX_VIOLATIONS_TOLD = 20;
/** What is left over is planned again by the next pass. */
const MAX_ORDERS_PER_COMMIT = MAX_COMMIT_WRITES - MAX_FLEETS_PER_COMMIT;

export type PassOutcome =
  /** Nothing to change. */
  | { readonly kind: "idle" }
  | { readonly kind: "committed"; readonly revision: number }
  | { readonly kind: "rejected"; readonly reason: string }
  /** What became of a commit is not known: a new epoch is needed (P5). */
  | { readonly kind: "uncertain" }
  /** The plan breaks an invariant, a defect of the planner, or is too large to be kept. */
  | { readonly kind: "refused" };

/** What a pass goes by. */
export type PassInput = Pick<Picture, "snapshot" | "control" | "plan">;

export type PlannerOptions = {
  readonly store: CoordinatorStore;
  readonly log: Log;
  readonly metrics: CoordinatorMetrics;
  readonly announcer: Announcer;
};

/** True where there is nothing to commit. */
const isEmpty = ({ orders, fleets, forgottenFleets }: Changes): boolean =>
  orders.length + fleets.length + forgottenFleets.length === 0;

type Changes = Readonly<Record<"orders" | "fleets" | "forgottenFleets", readonly unknown[]>>;

export class Planner {
  readonly #options: PlannerOptions;
  /** The last plan that called for nothing, or for what must not be. */
  #settled: { readonly plan: Plan; readonly outcome: PassOutcome } | undefined;
  /** Of the last commit (P4). */
  #committedRevision = 0;
  /** The epoch of a commit of which nothing was heard (P5). */
  #uncertainEpoch: number | undefined;
  /** What was wrong with the last plan: told once, not with every pass. */
  #told: ReadonlySet<string> = new Set();
  /** Hosts whose orders would be too large, and by how much: told when that changes. */
  readonly #tooLarge = new Map<HostName, number>();

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  /** One pass under the epoch of the picture's snapshot. Fails only where the store does. */
  async pass(picture: PassInput, signal: AbortSignal): Promise<PassOutcome> {
    const { store, metrics, announcer } = this.#options;
    const { epoch } = picture.snapshot;
    if (epoch === this.#uncertainEpoch) return { kind: "uncertain" };
    const { control } = picture;
    if (control.epoch.epoch < epoch || control.revision < this.#committedRevision) {
      const since = `epoch ${epoch} or revision ${this.#committedRevision}`;
      return { kind: "rejected", reason: `what is known is from before ${since}` };
    }
    const endReconcile = metrics.reconcileSeconds.startTimer();
    const { plan } = picture;
    if (this.#settled?.plan === plan) return this.#settled.outcome;
    const isSound = this.#isSound(picture);
    endReconcile();
    if (!isSound) return this.#settle(picture, "refused");
    if (isEmpty(plan)) return this.#settle(picture, "idle");

    const request = this.#request(picture);
    if (isEmpty(request)) return this.#settle(picture, "refused");
    const endCommit = metrics.commitSeconds.startTimer();
    const outcome = await this.#commit(request, signal);
    endCommit({ outcome: outcome.kind });
    if (outcome.kind === "committed") {
      const hosts = new Set(request.orders.map((orders) => orders.value.host));
      const actions = plan.actions.filter((action) => hosts.has(action.host));
      for (const action of actions) metrics.actions.inc({ kind: action.kind });
      announcer.actions(actions);
      for (const { value } of request.fleets) announcer.rollout(value);
      await store.caughtUp(outcome.revision, signal);
    }
    return outcome;
  }

  /** Nothing comes of this plan, however often it is looked at. */
  #settle({ plan }: PassInput, kind: "idle" | "refused"): PassOutcome {
    const outcome = { kind };
    this.#settled = { plan, outcome };
    return outcome;
  }

  #isSound({ snapshot, plan }: PassInput): boolean {
    const { log, metrics, announcer } = this.#options;
    const violations = check(snapshot, plan);
    const told = new Set<string>();
    for (const { invariant, text } of violations) {
      metrics.violations.inc({ invariant });
      if (told.size === MAX_VIOLATIONS_TOLD) continue;
      told.add(text);
      if (this.#told.has(text)) continue;
      log.error("the plan breaks an invariant and is not committed", { invariant, text });
      announcer.violation(invariant, text);
    }
    this.#told = told;
    return violations.length === 0;
  }

  async #commit(request: CommitRequest, signal: AbortSignal): Promise<CommitOutcome> {
    const { store, log } = this.#options;
    let outcome: CommitOutcome;
    try {
      outcome = await store.commit(request, signal);
    } catch (error) {
      const wasRefused = error instanceof StoreError && !error.isTransient;
      if (!wasRefused) this.#uncertainEpoch = request.epoch;
      throw error;
    }
    if (outcome.kind === "committed") this.#committedRevision = outcome.revision;
    const fields = { epoch: request.epoch, hosts: request.orders.length };
    if (outcome.kind === "committed") {
      log.info("committed a plan", { ...fields, revision: outcome.revision });
    } else {
      log.info("a commit was rejected, planning again", { ...fields, reason: outcome.reason });
    }
    return outcome;
  }

  #request({ snapshot, plan, control }: PassInput): CommitRequest {
    const orders = plan.orders.filter((one) => this.#fits(one)).slice(0, MAX_ORDERS_PER_COMMIT);
    const fleets = plan.fleets.slice(0, MAX_FLEETS_PER_COMMIT);
    const forgotten = plan.forgottenFleets.slice(0, MAX_FLEETS_PER_COMMIT - fleets.length);
    return {
      epoch: snapshot.epoch,
      orders: orders.map((value) => ({
        value,
        expectedRevision: control.orders.get(value.host)?.revision ?? 0,
      })),
      fleets: fleets.map((value) => ({
        value,
        expectedRevision: control.fleets.get(value.spec.name)?.revision ?? 0,
      })),
      forgottenFleets: forgotten.map((name) => ({
        name,
        expectedRevision: control.fleets.get(name)?.revision ?? 0,
      })),
    };
  }

  /** One host's orders that the store would refuse must not keep those of all others back. */
  #fits(orders: Orders): boolean {
    const { host } = orders;
    const size = ordersCodec.encode(orders).length;
    if (size <= MAX_ORDERS_BYTES) {
      this.#tooLarge.delete(host);
      return true;
    }
    if (this.#tooLarge.get(host) !== size) {
      this.#options.log.error("orders are too large and not committed", { host, size });
      this.#options.announcer.ordersTooLarge(host, size, MAX_ORDERS_BYTES);
    }
    this.#tooLarge.set(host, size);
    return false;
  }
}

/** True of a pass that planned on all that was written before it, and whose own write is known. */
export function isConclusive({ kind }: PassOutcome): boolean {
  switch (kind) {
    case "idle":
    case "committed":
    case "refused":
      return true;
    case "rejected":
    case "uncertain":
      return false;
  }
}
