/** Says what the coordinator decided, as events for people. */
import type { Action, Clock, EventRecord, FleetRecord, FleetSpec, HostName } from "@evm/fleet";

/** More actions of one kind in one fleet than this in one pass are told as one event. */
const MAX_SINGLE_EVENTS = 50;

export type AnnouncerOptions = {
  /** The coordinator's id. */
  readonly id: string;
  readonly clock: Clock;
  readonly add: (event: EventRecord) => void;
};

const REASONS = {
  create: "InstancePlaced",
  replace: "InstanceReplaced",
  move: "InstanceMoved",
  restart: "InstanceRestartOrdered",
  resume: "InstanceResumed",
  stop: "InstanceStopOrdered",
  discard: "InstanceDiscarded",
  forget: "InstanceForgotten",
} as const satisfies Record<Action["kind"], string>;

/** What has become of a host; `maintenance`: it was drained before it went silent. */
export type HostChange = "up" | "lost" | "maintenance";

type Subject = Partial<Pick<EventRecord, "fleet" | "instance" | "host">>;

type Rolling = Pick<FleetRecord, "rollout"> & { readonly spec: Pick<FleetSpec, "name"> };

export class Announcer {
  readonly #options: AnnouncerOptions;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** What a committed plan does. */
  actions(actions: readonly Action[]): void {
    const groups = Map.groupBy(actions, (action) => `${action.kind} ${action.fleet}`);
    for (const group of groups.values()) {
      const [first] = group;
      if (first === undefined) continue;
      if (group.length <= MAX_SINGLE_EVENTS) {
        for (const action of group) this.#action(action);
      } else {
        const hosts = new Set(group.map((action) => action.host)).size;
        const text = `${group.length} instances on ${hosts} hosts; the first: ${first.reason}`;
        this.say("info", REASONS[first.kind], text, { fleet: first.fleet });
      }
    }
  }

  /** How an update has come to stand, by a plan or by an operator. */
  rollout({ spec: { name: fleet }, rollout }: Rolling): void {
    const { state, rolledBackBecause } = rollout;
    const isBack = rolledBackBecause !== undefined;
    switch (state.kind) {
      case "done": {
        const which = isBack ? "previous" : "new";
        const text = `${fleet}: every instance is of the ${which} template`;
        this.say("info", "RolloutDone", text, { fleet });
        break;
      }
      case "going": {
        const reason = isBack ? "RolledBack" : "RolloutStarted";
        const text = isBack
          ? `${fleet} goes back to its previous template: ${rolledBackBecause}`
          : `${fleet}: its instances are being replaced`;
        this.say(isBack ? "warning" : "info", reason, text, { fleet });
        break;
      }
      case "paused":
        this.say("info", "RolloutPaused", `${fleet}: ${state.reason}`, { fleet });
        break;
      case "halted":
        this.say("error", "RolloutHalted", `${fleet}: ${state.reason}`, { fleet });
        break;
    }
  }

  violation(invariant: string, text: string): void {
    this.say("error", "PlanRefused", `the plan breaks ${invariant} and was not committed: ${text}`);
  }

  ordersTooLarge(host: HostName, size: number, limit: number): void {
    const text = `the orders of ${host} take ${size} bytes, above ${limit}: not committed`;
    const remedy = "run fewer instances or shorter templates there";
    this.say("error", "OrdersTooLarge", `${text}; ${remedy}`, { host });
  }

  host(host: HostName, change: HostChange): void {
    switch (change) {
      case "up":
        this.say("info", "HostUp", `${host} is up`, { host });
        break;
      case "lost":
        this.say("error", "HostLost", `${host} is lost`, { host });
        break;
      case "maintenance":
        this.say("info", "HostStopped", `${host} was drained, and has stopped`, { host });
    }
  }

  say(severity: EventRecord["severity"], reason: string, text: string, about: Subject = {}): void {
    const { id, clock, add } = this.#options;
    add({
      at: clock.now(),
      source: `coordinator/${id}`,
      severity,
      reason,
      fleet: about.fleet,
      instance: about.instance,
      host: about.host,
      text,
    });
  }

  #action({ kind, instance, fleet, incarnation, host, from, reason }: Action): void {
    const where = from === undefined || from === host ? `on ${host}` : `from ${from} to ${host}`;
    const text = `${instance}.${incarnation} ${where}: ${reason}`;
    this.say("info", REASONS[kind], text, { fleet, instance, host });
  }
}
