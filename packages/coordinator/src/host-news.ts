/**
 * Tells, once each, what has become of hosts, which names more than one machine bears, and when the
 * brake begins and ends to hold.
 */
import {
  type AgentId,
  describeBrake,
  describeRival,
  type HostName,
  type HostView,
  isInMaintenance,
  type Snapshot,
} from "@evm/fleet";
import type { Announcer, HostChange } from "./announcer.ts";

export class HostNews {
  readonly #announcer: Announcer;
  readonly #told = new Map<HostName, HostChange>();
  readonly #rivals = new Map<HostName, AgentId>();
  /** Whom orders are for. */
  readonly #agents = new Map<HostName, AgentId>();
  #isBraked = false;

  constructor(announcer: Announcer) {
    this.#announcer = announcer;
  }

  /** While it leads: what each pass goes by. */
  observe(snapshot: Snapshot): void {
    this.#brake(snapshot);
    for (const host of snapshot.hosts) {
      this.#names(host);
      const { name, liveness } = host;
      const before = this.#told.get(name);
      const now = isInMaintenance(host) ? "maintenance" : liveness;
      if (now === "unknown" || now === "silent" || before === now) continue;
      this.#told.set(name, now);
      if (before !== undefined || now !== "up") this.#announcer.host(name, now);
    }
  }

  /** Once it leads no more: whoever does tells how it goes on. */
  stop(): void {
    this.#isBraked = false;
  }

  #names(host: HostView): void {
    const { name, rival, orders } = host;
    const text = describeRival(host);
    if (text !== undefined && rival !== this.#rivals.get(name)) {
      this.#announcer.say("error", "HostNameTaken", text, { host: name });
    }
    if (rival === undefined) this.#rivals.delete(name);
    else this.#rivals.set(name, rival);
    if (orders?.agent === undefined) return;
    const before = this.#agents.get(name);
    this.#agents.set(name, orders.agent);
    if (before === undefined || before === orders.agent) return;
    const change = `agent ${orders.agent}, as ${before} is lost`;
    this.#announcer.say("warning", "HostReplaced", `${name} is now ${change}`, { host: name });
  }

  #brake({ brake, hosts }: Snapshot): void {
    if (brake !== undefined) {
      if (!this.#isBraked) {
        const text = `${describeBrake(brake)}: nothing is moved until they are back`;
        this.#announcer.say("error", "RescheduleBraked", text);
      }
      this.#isBraked = true;
      return;
    }
    // A leader that is cut off itself knows nothing of hosts for a while: that releases nothing.
    if (!this.#isBraked || hosts.some(({ liveness }) => liveness === "unknown")) return;
    this.#isBraked = false;
    const lost = hosts.filter((host) => host.liveness === "lost" && !isInMaintenance(host));
    const text = `hosts are healed again; ${lost.length} of ${hosts.length} are lost`;
    this.#announcer.say("info", "BrakeReleased", text);
  }
}
