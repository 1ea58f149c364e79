/**
 * What the epoch key holds: text, since it was once the leader's name alone, and with a base of 0
 * still is: `c1`, or `c1 1000000000000` once a restore has raised the base.
 */
import { z } from "zod";
import { filledText, uint64 } from "./fields.ts";
import { parse } from "./validate.ts";

export type EpochHolder = {
  /** Its id: letters, digits, `_` and `-`. */
  readonly leader: string;
  /** Added to the key's revision it makes the epoch. */
  readonly base: number;
};

const schema: z.ZodType<EpochHolder> = z.object({ leader: filledText, base: uint64 });

/** Between the key's bytes and the model; `decode` throws a `CodecError`. */
export const epochHolderCodec = {
  encode({ leader, base }: EpochHolder): Uint8Array<ArrayBuffer> {
    return new TextEncoder().encode(base === 0 ? leader : `${leader} ${base}`);
  },
  decode(bytes: Uint8Array): EpochHolder {
    const [leader, base = "0", ...rest] = new TextDecoder().decode(bytes).split(" ");
    const digits = rest.length === 0 && /^\d+$/.test(base) ? Number(base) : base;
    return parse(schema, { leader, base: digits }, "epoch");
  },
};
