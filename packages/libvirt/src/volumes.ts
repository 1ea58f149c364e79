import type { Caller, CallOptions, FlagOptions } from "./caller.ts";
import { volumeProcedures as procedures, type VolumeInfo } from "./procedures/storage.ts";
import type { Pool, Volume } from "./structs.ts";

/** Which bytes of a volume travel. */
export interface TransferOptions extends CallOptions {
  /** Where in the volume to start. Default: 0. */
  readonly offsetBytes?: number | undefined;
  /** How many bytes at most. Default: all there are. */
  readonly lengthBytes?: number | undefined;
}

/** Requests on storage volumes. */
export class Volumes {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** The volumes of a running pool. */
  list(pool: Pool, options: CallOptions = {}): Promise<readonly Volume[]> {
    return this.#caller.call(procedures.list, { pool, flags: 0 }, options);
  }

  /** Rejects with NO_STORAGE_VOL (see isNoVolume) when the pool has none of that name. */
  lookupByName(pool: Pool, name: string, options?: CallOptions): Promise<Volume> {
    return this.#caller.call(procedures.lookupByName, { pool, name }, options);
  }

  /** Rejects with NO_STORAGE_VOL (see isNoVolume) when no pool has it. */
  lookupByPath(path: string, options?: CallOptions): Promise<Volume> {
    return this.#caller.call(procedures.lookupByPath, path, options);
  }

  /** Makes a volume of `<volume>` XML. Flags: CreateVolumeFlags. */
  create(pool: Pool, xml: string, options: FlagOptions = {}): Promise<Volume> {
    return this.#caller.call(procedures.create, { pool, xml, flags: options.flags ?? 0 }, options);
  }

  /** Makes a volume of `<volume>` XML with the content of `source`. Flags: CreateVolumeFlags. */
  createFrom(pool: Pool, xml: string, source: Volume, options: FlagOptions = {}): Promise<Volume> {
    const args = { pool, xml, source, flags: options.flags ?? 0 };
    return this.#caller.call(procedures.createFrom, args, options);
  }

  /** Flags: DeleteVolumeFlags. */
  delete(volume: Volume, options: FlagOptions = {}): Promise<void> {
    return this.#caller.call(procedures.delete, { volume, flags: options.flags ?? 0 }, options);
  }

  info(volume: Volume, options?: CallOptions): Promise<VolumeInfo> {
    return this.#caller.call(procedures.info, volume, options);
  }

  xml(volume: Volume, options: CallOptions = {}): Promise<string> {
    return this.#caller.call(procedures.getXml, { volume, flags: 0 }, options);
  }

  path(volume: Volume, options?: CallOptions): Promise<string> {
    return this.#caller.call(procedures.path, volume, options);
  }

  /** Flags: ResizeVolumeFlags. */
  resize(volume: Volume, capacityBytes: number, options: FlagOptions = {}): Promise<void> {
    const args = { volume, capacityBytes, flags: options.flags ?? 0 };
    return this.#caller.call(procedures.resize, args, options);
  }

  /** Writes `source` into the volume; resolves when the daemon has all of it. */
  async upload(
    volume: Volume,
    source: AsyncIterable<Uint8Array>,
    options: TransferOptions = {},
  ): Promise<void> {
    const args = transferArgs(volume, options);
    using stream = await this.#caller.openStream(procedures.upload, args, options);
    for await (const chunk of source) await stream.write(chunk);
    await stream.finish();
  }

  /** Reads the volume. Breaking off ends the transfer. */
  async *download(
    volume: Volume,
    options: TransferOptions = {},
  ): AsyncGenerator<Buffer, void, undefined> {
    const args = transferArgs(volume, options);
    using stream = await this.#caller.openStream(procedures.download, args, options);
    yield* stream;
    await stream.finish();
  }
}

// The daemon takes a length of 0 for "all".
function transferArgs(volume: Volume, options: TransferOptions) {
  const { offsetBytes = 0, lengthBytes = 0 } = options;
  return { volume, offsetBytes, lengthBytes, flags: 0 };
}
