import type { Caller, CallOptions } from "./caller.ts";
import {
  type DomainCapabilitiesQuery,
  type NodeInfo,
  connectionProcedures as procedures,
} from "./procedures/connection.ts";

/** Requests on the host and its hypervisor. */
export class Host {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  info(options?: CallOptions): Promise<NodeInfo> {
    return this.#caller.call(procedures.nodeInfo, undefined, options);
  }

  hostname(options?: CallOptions): Promise<string> {
    return this.#caller.call(procedures.hostname, undefined, options);
  }

  /** The host's capabilities, as XML. */
  capabilities(options?: CallOptions): Promise<string> {
    return this.#caller.call(procedures.capabilities, undefined, options);
  }

  /** What a domain of some kind may have on this host, as XML. */
  domainCapabilities(query: DomainCapabilitiesQuery = {}, options?: CallOptions): Promise<string> {
    return this.#caller.call(procedures.domainCapabilities, query, options);
  }

  /** In KiB, by libvirt's names: `total`, `free`, `buffers`, `cached`. */
  async memoryStats(options?: CallOptions): Promise<ReadonlyMap<string, number>> {
    // The daemon insists on being asked for exactly as many values as it has.
    const { count } = await this.#caller.call(procedures.memoryStats, 0, options);
    return (await this.#caller.call(procedures.memoryStats, count, options)).kib;
  }

  freeMemoryBytes(options?: CallOptions): Promise<number> {
    return this.#caller.call(procedures.freeMemory, undefined, options);
  }

  /** The name of the hypervisor's driver, such as `QEMU` or `TEST`. */
  driver(options?: CallOptions): Promise<string> {
    return this.#caller.call(procedures.getType, undefined, options);
  }

  /** The hypervisor's version, such as `7.2.15`. */
  async hypervisorVersion(options?: CallOptions): Promise<string> {
    return formatVersion(await this.#caller.call(procedures.getVersion, undefined, options));
  }

  /** The daemon's version, such as `9.0.0`. */
  async libvirtVersion(options?: CallOptions): Promise<string> {
    return formatVersion(await this.#caller.call(procedures.getLibVersion, undefined, options));
  }

  /** The URI that the daemon opened. */
  uri(options?: CallOptions): Promise<string> {
    return this.#caller.call(procedures.getUri, undefined, options);
  }
}

// libvirt packs a version as major * 1,000,000 + minor * 1,000 + release.
function formatVersion(version: number): string {
  const major = Math.floor(version / 1_000_000);
  const minor = Math.floor(version / 1_000) % 1_000;
  return `${major}.${minor}.${version % 1_000}`;
}
