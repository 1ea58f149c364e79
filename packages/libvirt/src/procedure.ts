import type { XdrReader } from "./xdr-reader.ts";
import type { XdrWriter } from "./xdr-writer.ts";

/** One procedure of the remote program: its number, and what travels each way. */
export interface Procedure<Args, Reply> {
  /** libvirt's own name, without `REMOTE_PROC_`. Errors start with it. */
  readonly name: string;
  readonly number: number;
  readonly encode: (writer: XdrWriter, args: Args) => void;
  readonly decode: (reader: XdrReader) => Reply;
}

export function procedure<Args, Reply>(
  number: number,
  name: string,
  encode: (writer: XdrWriter, args: Args) => void,
  decode: (reader: XdrReader) => Reply,
): Procedure<Args, Reply> {
  return { name, number, encode, decode };
}

/** For procedures without arguments or without a result. */
export const nothing = (): void => {};

/** For replies that are one string. */
export const readString = (reader: XdrReader): string => reader.string();

/** For replies of the `list all` family: the items, and once more their number. */
export function readListing<Item>(readItem: (reader: XdrReader) => Item) {
  return (reader: XdrReader): readonly Item[] => {
    const items = reader.array(readItem);
    reader.uint();
    return items;
  };
}

/** `list all` procedures return items, instead of only counting them, if asked to. */
export const NEED_RESULTS = 1;
