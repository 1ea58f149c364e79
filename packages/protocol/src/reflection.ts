/**
 * Server reflection, grpc.reflection.v1: lets any gRPC client list and call the services without
 * having their files. Our own, because the usual package reads its .proto file from beside itself,
 * which a bundled program does not have.
 */
import type {
  DescEnum,
  DescExtension,
  DescFile,
  DescMessage,
  DescService,
} from "@bufbuild/protobuf";
import { toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { type Server, status } from "@grpc/grpc-js";
import {
  ServerReflection,
  type ServerReflectionRequest,
} from "./gen/grpc/reflection/v1/reflection_pb.ts";
import { addService, type ErrorConverter } from "./grpc-server.ts";

/** Serves reflection about `services`, and about itself. */
export function addReflection(
  server: Server,
  services: readonly DescService[],
  toRpcError: ErrorConverter,
): void {
  const all = [...services, ServerReflection];
  const files = new Map<string, DescFile>();
  for (const service of all) collect(service.file, files);
  const symbols = new Map([...files.values()].flatMap(symbolsOf));
  const handlers = {
    async *serverReflectionInfo(requests: AsyncIterable<ServerReflectionRequest>) {
      for await (const request of requests) {
        yield { originalRequest: request, messageResponse: answer(request, all, files, symbols) };
      }
    },
  };
  addService(server, ServerReflection, handlers, toRpcError);
}

/** Adds the file and everything that it imports, by the names that imports use. */
function collect(file: DescFile, files: Map<string, DescFile>): void {
  if (files.has(file.proto.name)) return;
  files.set(file.proto.name, file);
  for (const dependency of file.dependencies) collect(dependency, files);
}

function symbolsOf(file: DescFile): readonly (readonly [string, DescFile])[] {
  const types = [...nestedTypes(file)];
  const names = types.flatMap((type) => [
    type.typeName,
    ...membersOf(type).map(({ name }) => `${type.typeName}.${name}`),
  ]);
  return names.map((name) => [name, file] as const);
}

function membersOf(
  type: DescMessage | DescEnum | DescExtension | DescService,
): readonly { readonly name: string }[] {
  switch (type.kind) {
    case "message":
      return type.fields;
    case "service":
      return type.methods;
    case "enum":
    case "extension":
      return [];
  }
}

function answer(
  { messageRequest }: ServerReflectionRequest,
  services: readonly DescService[],
  files: ReadonlyMap<string, DescFile>,
  symbols: ReadonlyMap<string, DescFile>,
) {
  switch (messageRequest.case) {
    case "listServices": {
      const service = services.map(({ typeName }) => ({ name: typeName }));
      return { case: "listServicesResponse", value: { service } } as const;
    }
    case "fileByFilename":
      return fileAnswer(files.get(messageRequest.value), messageRequest.value);
    case "fileContainingSymbol":
      return fileAnswer(symbols.get(messageRequest.value), messageRequest.value);
    case "fileContainingExtension":
      return fileAnswer(undefined, messageRequest.value.containingType);
    case "allExtensionNumbersOfType":
      return fileAnswer(undefined, messageRequest.value);
    case undefined:
      return errorAnswer(status.INVALID_ARGUMENT, "reflection: the request asks nothing");
  }
}

/** The file with its imports, so that a client needs no second question. */
function fileAnswer(file: DescFile | undefined, asked: string) {
  if (file === undefined) return errorAnswer(status.NOT_FOUND, `reflection: no ${asked} here`);
  const files = new Map<string, DescFile>();
  collect(file, files);
  const fileDescriptorProto = [...files.values()].map(({ proto }) =>
    toBinary(FileDescriptorProtoSchema, proto),
  );
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } } as const;
}

const errorAnswer = (errorCode: status, errorMessage: string) =>
  ({ case: "errorResponse", value: { errorCode, errorMessage } }) as const;
