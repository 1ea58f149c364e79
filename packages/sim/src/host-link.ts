import type { Heartbeat, HostName, LeaseGrant, Orders, Report } from "@evm/fleet";
import type { HostStore, HostVerb, VerbHandler } from "@evm/store";
import { Link, type LinkOptions, NEVER } from "./link.ts";
import { STORE } from "./network.ts";

/** The store as one life of an agent reaches it. */
export class HostLink extends Link<HostStore> implements HostStore {
  readonly host: HostName;

  constructor(options: LinkOptions<HostStore>) {
    super(options);
    this.host = options.server.host;
  }

  readOrders(signal: AbortSignal): Promise<Orders | undefined> {
    return this.request("reading orders", signal, async () =>
      this.network.ordersFor(this.host, await this.server.readOrders(NEVER)),
    );
  }

  watchOrders(wake: () => void, signal: AbortSignal): void {
    const { process, name } = this.endpoint;
    const send = () => this.network.send(STORE, name, 0, () => process.deliver(wake));
    this.server.watchOrders(send, signal);
    this.network.onHeal(send, signal);
  }

  onReconnect(wake: () => void, signal: AbortSignal): void {
    const { process } = this.endpoint;
    this.network.onHeal(() => process.deliver(wake), signal);
  }

  putReport(report: Report, signal: AbortSignal): Promise<void> {
    return this.request("writing the report", signal, () => this.server.putReport(report, NEVER));
  }

  /** Where nobody answers it is for the caller to give up. */
  heartbeat(heartbeat: Heartbeat, signal: AbortSignal): Promise<LeaseGrant | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<LeaseGrant | undefined>();
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    this.network.heartbeat(this.endpoint, heartbeat, resolve);
    return promise;
  }

  serveVerb(verb: HostVerb, handler: VerbHandler, signal: AbortSignal): void {
    this.network.verbs.serve(this.endpoint, verb, handler, signal);
  }
}
