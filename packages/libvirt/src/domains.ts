import type { ByteStream } from "./byte-stream.ts";
import type { Caller, CallOptions, FlagOptions } from "./caller.ts";
import type { DomainState } from "./domain-state.ts";
import type { LifecycleEvents, LifecycleWatch, WatchOptions } from "./lifecycle-events.ts";
import type { Procedure } from "./procedure.ts";
import {
  type DomainInfo,
  type DomainInterface,
  type DomainStats,
  domainProcedures as procedures,
} from "./procedures/domain.ts";
import type { Domain, DomainRef } from "./structs.ts";

export interface StatsOptions extends FlagOptions {
  /** Default: all domains. */
  readonly domains?: readonly DomainRef[] | undefined;
  /** StatsGroups, or'ed. Default: all that the hypervisor has. */
  readonly groups?: number | undefined;
}

export interface ConsoleOptions extends FlagOptions {
  /** The alias of the device, such as `serial0`. Default: the first console. */
  readonly device?: string | undefined;
}

export interface InterfaceAddressOptions extends CallOptions {
  /** Default: `lease`, what the DHCP servers of libvirt's networks handed out. */
  readonly source?: keyof typeof addressSources | undefined;
}

/** What part of a domain's metadata is meant: an element of its own is found by its namespace. */
export type MetadataPart =
  | { readonly kind: "description" | "title" }
  | { readonly kind: "element"; readonly uri: string };

/** A part of a domain's metadata and its new value; `undefined` removes it. */
export type Metadata =
  | { readonly kind: "description" | "title"; readonly value: string | undefined }
  | {
      readonly kind: "element";
      readonly uri: string;
      /** The namespace's prefix. */
      readonly key: string;
      /** XML of one element. */
      readonly value: string | undefined;
    };

// virDomainInterfaceAddressesSource
const addressSources = { lease: 0, agent: 1, arp: 2 } as const;

// virDomainMetadataType
const metadataTypes = { description: 0, title: 1, element: 2 } as const;

/** Requests on domains, which is libvirt's word for virtual machines. */
export class Domains {
  readonly #caller: Caller;
  readonly #events: LifecycleEvents;

  constructor(caller: Caller, events: LifecycleEvents) {
    this.#caller = caller;
    this.#events = events;
  }

  /** All domains, or with ListDomainsFlags some of them. */
  list(options: FlagOptions = {}): Promise<readonly Domain[]> {
    return this.#caller.call(procedures.list, options.flags ?? 0, options);
  }

  /** Rejects with NO_DOMAIN (see isNoDomain) when there is none of that name. */
  lookupByName(name: string, options?: CallOptions): Promise<Domain> {
    return this.#caller.call(procedures.lookupByName, name, options);
  }

  /** Rejects with NO_DOMAIN (see isNoDomain) when there is none. */
  lookupByUuid(uuid: string, options?: CallOptions): Promise<Domain> {
    return this.#caller.call(procedures.lookupByUuid, uuid, options);
  }

  /**
   * Makes a persistent domain of `<domain>` XML, or changes the one with that name and UUID.
   * Flags: DefineFlags.
   */
  define(xml: string, options: FlagOptions = {}): Promise<Domain> {
    return this.#caller.call(procedures.define, { xml, flags: options.flags ?? 0 }, options);
  }

  /** Removes a persistent domain's definition. Flags: UndefineFlags. */
  undefine(domain: DomainRef, options: FlagOptions = {}): Promise<void> {
    return this.#withFlags(procedures.undefine, domain, options);
  }

  /** Starts a defined domain. Flags: CreateFlags. */
  create(domain: DomainRef, options: FlagOptions = {}): Promise<Domain> {
    return this.#withFlags(procedures.create, domain, options);
  }

  /** Starts a transient domain from `<domain>` XML. Flags: CreateFlags. */
  createXml(xml: string, options: FlagOptions = {}): Promise<Domain> {
    return this.#caller.call(procedures.createXml, { xml, flags: options.flags ?? 0 }, options);
  }

  /** Ends a domain at once, like a cut of the power. Flags: DestroyFlags. */
  destroy(domain: DomainRef, options: FlagOptions = {}): Promise<void> {
    return this.#withFlags(procedures.destroy, domain, options);
  }

  /** Asks the guest to shut down; it need not. Flags: ShutdownFlags. */
  shutdown(domain: DomainRef, options: FlagOptions = {}): Promise<void> {
    return this.#withFlags(procedures.shutdown, domain, options);
  }

  /** Asks the guest to reboot; it need not. Flags: ShutdownFlags. */
  reboot(domain: DomainRef, options: FlagOptions = {}): Promise<void> {
    return this.#withFlags(procedures.reboot, domain, options);
  }

  /** Resets a domain at once, like the button on the case. */
  reset(domain: DomainRef, options: CallOptions = {}): Promise<void> {
    return this.#caller.call(procedures.reset, { domain, flags: 0 }, options);
  }

  /** Freezes a running domain; it keeps its memory. */
  suspend(domain: DomainRef, options?: CallOptions): Promise<void> {
    return this.#caller.call(procedures.suspend, domain, options);
  }

  /** Lets a suspended domain run on. */
  resume(domain: DomainRef, options?: CallOptions): Promise<void> {
    return this.#caller.call(procedures.resume, domain, options);
  }

  /** The domain's XML. Flags: DomainXmlFlags. */
  xml(domain: DomainRef, options: FlagOptions = {}): Promise<string> {
    return this.#withFlags(procedures.getXml, domain, options);
  }

  state(domain: DomainRef, options: CallOptions = {}): Promise<DomainState> {
    return this.#caller.call(procedures.state, { domain, flags: 0 }, options);
  }

  info(domain: DomainRef, options?: CallOptions): Promise<DomainInfo> {
    return this.#caller.call(procedures.info, domain, options);
  }

  /** Whether the domain is started when the daemon starts. */
  autostart(domain: DomainRef, options?: CallOptions): Promise<boolean> {
    return this.#caller.call(procedures.getAutostart, domain, options);
  }

  setAutostart(domain: DomainRef, autostart: boolean, options?: CallOptions): Promise<void> {
    return this.#caller.call(procedures.setAutostart, { domain, autostart }, options);
  }

  /** Rejects with NO_DOMAIN_METADATA when the domain has no such part. Flags: AffectFlags. */
  metadata(domain: DomainRef, part: MetadataPart, options: FlagOptions = {}): Promise<string> {
    const args = {
      domain,
      flags: options.flags ?? 0,
      type: metadataTypes[part.kind],
      uri: part.kind === "element" ? part.uri : undefined,
    };
    return this.#caller.call(procedures.getMetadata, args, options);
  }

  /** Flags: AffectFlags. */
  setMetadata(domain: DomainRef, metadata: Metadata, options: FlagOptions = {}): Promise<void> {
    const isElement = metadata.kind === "element";
    const args = {
      domain,
      flags: options.flags ?? 0,
      type: metadataTypes[metadata.kind],
      value: metadata.value,
      key: isElement ? metadata.key : undefined,
      uri: isElement ? metadata.uri : undefined,
    };
    return this.#caller.call(procedures.setMetadata, args, options);
  }

  /**
   * Statistics of many domains in one call, by libvirt's field names such as `state.state`,
   * `cpu.time` (ns), `balloon.current` (KiB). Flags: ListDomainsFlags and StatsFlags.
   */
  stats(options: StatsOptions = {}): Promise<readonly DomainStats[]> {
    const { domains = [], groups = 0, flags = 0 } = options;
    return this.#caller.call(procedures.stats, { domains, groups, flags }, options);
  }

  /** The addresses of a running domain's interfaces, as far as the source knows them. */
  interfaceAddresses(
    domain: DomainRef,
    options: InterfaceAddressOptions = {},
  ): Promise<readonly DomainInterface[]> {
    const source = addressSources[options.source ?? "lease"];
    return this.#caller.call(procedures.interfaceAddresses, { domain, source, flags: 0 }, options);
  }

  /** Opens a running domain's console, both ways. Flags: ConsoleFlags. */
  openConsole(domain: DomainRef, options: ConsoleOptions = {}): Promise<ByteStream> {
    const { device, flags = 0 } = options;
    return this.#caller.openStream(procedures.openConsole, { domain, device, flags }, options);
  }

  /**
   * Lifecycle events from now on. List the domains after the promise resolves, not before: then
   * nothing is missed. `signal` ends the watch too, as long as it lasts.
   */
  watch(options: WatchOptions = {}): Promise<LifecycleWatch> {
    return this.#events.watch(this.#caller, options);
  }

  #withFlags<Reply>(
    procedure: Procedure<{ readonly domain: DomainRef; readonly flags: number }, Reply>,
    domain: DomainRef,
    options: FlagOptions,
  ): Promise<Reply> {
    return this.#caller.call(procedure, { domain, flags: options.flags ?? 0 }, options);
  }
}
