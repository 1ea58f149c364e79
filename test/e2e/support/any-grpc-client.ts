/**
 * A client that knows nothing of EVM but its address: what it calls, it learns by reflection, as
 * grpcurl and its like do. Shares no code with EVM's own clients.
 */
import { create, createFileRegistry, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { Client, credentials } from "@grpc/grpc-js";

const DEADLINE_MS = 30_000;
const REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/** Numbers of the fields of reflection.proto. */
const REQUEST = { fileContainingSymbol: 4, listServices: 7 } as const;
const RESPONSE = { fileDescriptors: 4, services: 6 } as const;

const asIs = (bytes: Buffer): Buffer => bytes;

export class AnyGrpcClient implements Disposable {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure());
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  /** The names of all services. */
  async services(): Promise<readonly string[]> {
    const [list] = await this.#reflect(REQUEST.listServices, "", RESPONSE.services);
    const services = fieldsOf(list).get(1) ?? [];
    return services.map((one) => new TextDecoder().decode(fieldsOf(one).get(1)?.[0]));
  }

  /** Calls a method with an empty request; returns the answer as JSON. */
  async call(service: string, method: string): Promise<unknown> {
    const [answer] = await this.#reflect(
      REQUEST.fileContainingSymbol,
      service,
      RESPONSE.fileDescriptors,
    );
    const files = (fieldsOf(answer).get(1) ?? []).map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, bytes),
    );
    const set = create(FileDescriptorSetSchema, { file: importsFirst(files) });
    const registry = createFileRegistry(set);
    const found = registry.getService(service)?.methods.find(({ name }) => name === method);
    if (found === undefined) throw new Error(`reflection has no ${service}/${method}`);
    const request = Buffer.from(toBinary(found.input, create(found.input)));
    const reply = await this.raw(`/${service}/${method}`, request);
    return toJson(found.output, fromBinary(found.output, reply));
  }

  /** A unary call, bytes for bytes. */
  raw(path: string, request: Buffer): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const options = { deadline: Date.now() + DEADLINE_MS };
    this.#client.makeUnaryRequest(path, asIs, asIs, request, options, (error, reply) => {
      if (error !== null) reject(error);
      else resolve(reply ?? Buffer.alloc(0));
    });
    return promise;
  }

  /** Asks one question; the values of one field of the answer. */
  async #reflect(
    question: number,
    text: string,
    field: number,
  ): Promise<readonly (Uint8Array | undefined)[]> {
    const options = { deadline: Date.now() + DEADLINE_MS };
    const call = this.#client.makeBidiStreamRequest(REFLECTION, asIs, asIs, options);
    const value = Buffer.from(text);
    call.write(Buffer.concat([Buffer.from([(question << 3) | 2, value.length]), value]));
    call.end();
    const values: Uint8Array[] = [];
    for await (const answer of call) values.push(...(fieldsOf(answer).get(field) ?? []));
    return values;
  }
}

/** Each file after those that it imports: a registry wants them so. */
function importsFirst(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>();
  const add = (file: FileDescriptorProto): void => {
    for (const imported of files.filter(({ name }) => file.dependency.includes(name))) {
      add(imported);
    }
    ordered.add(file);
  };
  for (const file of files) add(file);
  return [...ordered];
}

/** The length-delimited fields of a message, by number. */
function fieldsOf(bytes: Uint8Array = new Uint8Array()): ReadonlyMap<number, Uint8Array[]> {
  const fields = new Map<number, Uint8Array[]>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (wireType !== 2) reader.skip(wireType);
    else fields.set(number, [...(fields.get(number) ?? []), reader.bytes()]);
  }
  return fields;
}
