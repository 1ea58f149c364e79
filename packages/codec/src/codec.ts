/** The shape that every pair of directions between wire and model has. */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { z } from "zod";
import { CodecError } from "./codec-error.ts";
import { parse } from "./validate.ts";

/**
 * Translates one model type to its message and back. What comes from the wire is checked whole:
 * `fromWire` and `decode` throw a `CodecError` with every problem at once.
 */
export type Codec<Model, Wire> = {
  toWire(model: Model): Wire;
  /** Undefined, as a message's absent field, fails. */
  fromWire(wire: Wire | undefined): Model;
  encode(model: Model): Uint8Array<ArrayBuffer>;
  decode(bytes: Uint8Array): Model;
};

/** @param D the message's descriptor; `what` names it in errors: "orders" */
export function codec<Model, D extends DescMessage>(options: {
  readonly what: string;
  readonly desc: D;
  readonly schema: z.ZodType<Model>;
  /** The message of a model. */
  readonly init: (model: Model) => MessageInitShape<D>;
  /** The model that a message says, unchecked; `schema` checks it. */
  readonly shape: (wire: MessageShape<D>) => unknown;
}): Codec<Model, MessageShape<D>> {
  const { what, desc, schema, init, shape } = options;
  const toWire = (model: Model) => create(desc, init(model));
  const fromWire = (wire: MessageShape<D> | undefined) =>
    parse(schema, wire === undefined ? undefined : shape(wire), what);
  return {
    toWire,
    fromWire,
    encode: (model) => toBinary(desc, toWire(model)),
    decode: (bytes) => {
      let wire: MessageShape<D>;
      try {
        wire = fromBinary(desc, bytes);
      } catch (cause) {
        throw new CodecError("undecodable", `${what}: not a ${desc.typeName}: ${String(cause)}`, {
          cause,
        });
      }
      return fromWire(wire);
    },
  };
}

/** A word of the model for each number of an enum on the wire. */
export type WireEnum<Word extends string, Wire extends number> = {
  toWire(word: Word): Wire;
  /** Undefined for "unspecified", and for a number that this version does not know. */
  fromWire(wire: number): Word | undefined;
  /** For a codec's `shape`: an unknown number stays one, for the schema to refuse. */
  shape(wire: number): Word | number | undefined;
};

export function wireEnum<Word extends string, Wire extends number>(
  numbers: Readonly<Record<Word, Wire>>,
): WireEnum<Word, Wire> {
  const words = new Map<number, Word>();
  for (const word in numbers) words.set(numbers[word], word);
  return {
    toWire: (word) => numbers[word],
    fromWire: (wire) => words.get(wire),
    shape: (wire) => words.get(wire) ?? (wire === 0 ? undefined : wire),
  };
}

/** Where the wire says "none" by an empty text. */
export const filled = (text: string): string | undefined => (text === "" ? undefined : text);
