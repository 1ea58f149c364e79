import type { Caller, CallOptions, FlagOptions } from "./caller.ts";
import { type DhcpLease, networkProcedures as procedures } from "./procedures/network.ts";
import type { Network } from "./structs.ts";

export interface LeaseOptions extends CallOptions {
  /** Only the lease of this interface. */
  readonly mac?: string | undefined;
}

/** Requests on libvirt's virtual networks. */
export class Networks {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** All networks, or with ListNetworksFlags some of them. */
  list(options: FlagOptions = {}): Promise<readonly Network[]> {
    return this.#caller.call(procedures.list, options.flags ?? 0, options);
  }

  /** Rejects with NO_NETWORK (see isNoNetwork) when there is none of that name. */
  lookupByName(name: string, options?: CallOptions): Promise<Network> {
    return this.#caller.call(procedures.lookupByName, name, options);
  }

  /** Rejects with NO_NETWORK (see isNoNetwork) when there is none. */
  lookupByUuid(uuid: string, options?: CallOptions): Promise<Network> {
    return this.#caller.call(procedures.lookupByUuid, uuid, options);
  }

  isActive(network: Network, options?: CallOptions): Promise<boolean> {
    return this.#caller.call(procedures.isActive, network, options);
  }

  xml(network: Network, options: CallOptions = {}): Promise<string> {
    return this.#caller.call(procedures.getXml, { network, flags: 0 }, options);
  }

  /** What the network's DHCP server handed out and is still valid. */
  dhcpLeases(network: Network, options: LeaseOptions = {}): Promise<readonly DhcpLease[]> {
    return this.#caller.call(procedures.dhcpLeases, { network, mac: options.mac }, options);
  }
}
