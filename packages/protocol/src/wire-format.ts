/** How grpc-js is told of a method that a descriptor describes. */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { fromBinary, toBinary } from "@bufbuild/protobuf";

export const methodPath = (method: {
  readonly parent: { readonly typeName: string };
  readonly name: string;
}): string => `/${method.parent.typeName}/${method.name}`;

export const serializer =
  <D extends DescMessage>(desc: D) =>
  (message: MessageShape<D>): Buffer => {
    const bytes = toBinary(desc, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };

export const deserializer =
  <D extends DescMessage>(desc: D) =>
  (bytes: Uint8Array): MessageShape<D> =>
    fromBinary(desc, bytes);
