/** Tells, once each, what has become of hosts, and when the brake begins and ends to hold. */
import { describeBrake, type HostName, isInMaintenance, type Snapshot } from "@evm/fleet";
import type { Announcer, HostChange } from "./announcer.ts";

export class HostNews {
  readonly #announcer: Announcer;
  readonly #told = new Map<HostName, HostChange>();
  #isBraked = false;

  constructor(announcer: Announcer) {
    this.#announcer = announcer;
  }

  /** While it leads: what each pass goes by. */
  observe(snapshot: Snapshot): void {
    this.#brake(snapshot);
    for (const host of snapshot.hosts) {
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
