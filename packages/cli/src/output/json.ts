import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { create, toJson } from "@bufbuild/protobuf";

/** A message as the JSON that protobuf defines, for scripts; fields at their default included. */
export const messageJson = <D extends DescMessage>(desc: D, message: MessageInitShape<D>): string =>
  `${JSON.stringify(json(desc, message), undefined, 2)}\n`;

/** The same on one line: for streams. */
export const messageLine = <D extends DescMessage>(desc: D, message: MessageInitShape<D>): string =>
  `${JSON.stringify(json(desc, message))}\n`;

const json = <D extends DescMessage>(desc: D, message: MessageInitShape<D>) =>
  toJson(desc, create(desc, message), { alwaysEmitImplicit: true });
