import type { Caller, CallOptions, FlagOptions } from "./caller.ts";
import { type PoolInfo, poolProcedures as procedures } from "./procedures/storage.ts";
import type { Pool } from "./structs.ts";

/** Requests on storage pools. */
export class Pools {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** All pools, or with ListPoolsFlags some of them. */
  list(options: FlagOptions = {}): Promise<readonly Pool[]> {
    return this.#caller.call(procedures.list, options.flags ?? 0, options);
  }

  /** Rejects with NO_STORAGE_POOL (see isNoPool) when there is none of that name. */
  lookupByName(name: string, options?: CallOptions): Promise<Pool> {
    return this.#caller.call(procedures.lookupByName, name, options);
  }

  /** Rejects with NO_STORAGE_POOL (see isNoPool) when there is none. */
  lookupByUuid(uuid: string, options?: CallOptions): Promise<Pool> {
    return this.#caller.call(procedures.lookupByUuid, uuid, options);
  }

  /** Makes a persistent pool of `<pool>` XML. It starts inactive. */
  define(xml: string, options: CallOptions = {}): Promise<Pool> {
    return this.#caller.call(procedures.define, { xml, flags: 0 }, options);
  }

  undefine(pool: Pool, options?: CallOptions): Promise<void> {
    return this.#caller.call(procedures.undefine, pool, options);
  }

  /** Starts a defined pool. Flags: CreatePoolFlags. */
  create(pool: Pool, options: FlagOptions = {}): Promise<void> {
    return this.#caller.call(procedures.create, { pool, flags: options.flags ?? 0 }, options);
  }

  /** Starts a transient pool from `<pool>` XML. Flags: CreatePoolFlags. */
  createXml(xml: string, options: FlagOptions = {}): Promise<Pool> {
    return this.#caller.call(procedures.createXml, { xml, flags: options.flags ?? 0 }, options);
  }

  /** Stops a pool. What it stores stays. */
  destroy(pool: Pool, options?: CallOptions): Promise<void> {
    return this.#caller.call(procedures.destroy, pool, options);
  }

  /** Looks again for what the pool stores. */
  refresh(pool: Pool, options: CallOptions = {}): Promise<void> {
    return this.#caller.call(procedures.refresh, { pool, flags: 0 }, options);
  }

  info(pool: Pool, options?: CallOptions): Promise<PoolInfo> {
    return this.#caller.call(procedures.info, pool, options);
  }

  xml(pool: Pool, options: CallOptions = {}): Promise<string> {
    return this.#caller.call(procedures.getXml, { pool, flags: 0 }, options);
  }
}
