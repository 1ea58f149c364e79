import type { Heartbeat, HostName, LeaseGrant, Orders, Report } from "@evm/fleet";
import type { HostStore, HostVerb, VerbHandler } from "../store.ts";
import { MemoryClient } from "./client.ts";
import { hostKey } from "./participant.ts";
import type { World } from "./world.ts";

/** A host's view of an in-memory store. */
export class MemoryHost extends MemoryClient implements HostStore {
  readonly host: HostName;

  constructor(world: World, host: HostName) {
    super(world, hostKey(host));
    this.host = host;
  }

  async readOrders(signal: AbortSignal): Promise<Orders | undefined> {
    this.reach(`reading orders of host ${this.host}`, signal);
    return this.world.ordersOf(this.host);
  }

  watchOrders(wake: () => void, signal: AbortSignal): void {
    const wakeIfConnected = () => {
      if (this.isConnected) wake();
    };
    this.world.ordersWakeups(this.host).add(wakeIfConnected, this.whileOpen(signal));
  }

  onReconnect(wake: () => void, signal: AbortSignal): void {
    this.world.onReconnect(this.participant, wake, this.whileOpen(signal));
  }

  async putReport(report: Report, signal: AbortSignal): Promise<void> {
    this.reach(`writing the report of host ${this.host}`, signal);
    this.world.putReport(report);
  }

  async heartbeat(heartbeat: Heartbeat, signal: AbortSignal): Promise<LeaseGrant | undefined> {
    this.reach(`heartbeat of host ${this.host}`, signal);
    return this.world.heartbeat(heartbeat);
  }

  serveVerb(verb: HostVerb, handler: VerbHandler, signal: AbortSignal): void {
    this.world.verbs.serve(this.host, verb, handler, this.whileOpen(signal));
  }
}
