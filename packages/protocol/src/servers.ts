/**
 * The servers of one cluster, any of which answers any call, and the one that is called now. Where
 * there are several, one is called only after it has said by the standard health service that it
 * serves: one that is down, frozen, or cut off from its store is passed over.
 *
 * grpc-js can be given several addresses too, and any client of gRPC may do so. It moves on where a
 * connection cannot be made or breaks, but stays with a server that answers without being able to
 * serve.
 */
import { create } from "@bufbuild/protobuf";
import { type ChannelCredentials, type ChannelOptions, Client, Metadata } from "@grpc/grpc-js";
import {
  Health,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from "./gen/grpc/health/v1/health_pb.ts";
import { fromServiceError, type RpcError } from "./rpc-error.ts";
import { deserializer, methodPath, serializer } from "./wire-format.ts";

const CHANNEL: ChannelOptions = {
  /**
   * A server that vanished or stands still is noticed within the sum of both, also by a stream on
   * which nothing comes. Shorter, one that plans for a large cluster would seem to stand still.
   */
  "grpc.keepalive_time_ms": 3_000,
  "grpc.keepalive_timeout_ms": 3_000,
  /** A server that was restarted is found again within a second. */
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 1_000,
};

/** A server that serves says so within milliseconds; a busy one is passed over for the next. */
const PROBE_TIMEOUT_MS = 500;

/** grpc-js counts deadlines on the system's clock and takes no other: nothing to inject. */
export const grpcClock: { now(): number } = Date;

type Answer = "serving" | "not serving" | "silent";

export type ServersOptions = {
  /** Each `host:port` or `unix:<path>`, with commas between them. */
  readonly addresses: string;
  readonly credentials: ChannelCredentials;
  /** Instead of what is usual for channels. */
  readonly channel?: ChannelOptions;
};

export class Servers implements Disposable {
  readonly #clients: readonly Client[];
  /** Index of the one that is called, or is to be asked first. */
  #current = 0;
  #isChosen: boolean;
  #hasAnswered = false;

  constructor({ addresses, credentials, channel }: ServersOptions) {
    const options = { ...CHANNEL, ...channel };
    this.#clients = addresses.split(",").map((one) => new Client(one, credentials, options));
    this.#isChosen = this.#clients.length === 1;
  }

  /** Whether any of them ever answered: only then is it worth the wait that one will again. */
  get haveAnswered(): boolean {
    return this.#hasAnswered;
  }

  /** The server to call now; where none serves, the first that answers at least. */
  async choose(): Promise<Client> {
    if (this.#isChosen) return this.#at(this.#current);
    const first = this.#current;
    let second: number | undefined;
    for (const step of this.#clients.keys()) {
      const index = (first + step) % this.#clients.length;
      const answer = await probe(this.#at(index));
      if (answer !== "silent") this.#hasAnswered = true;
      if (answer === "serving") return this.#call(index);
      if (answer === "not serving") second ??= index;
    }
    return this.#at(second ?? first);
  }

  /** Notes that a call was answered. */
  answered(): void {
    this.#hasAnswered = true;
  }

  /** Notes that a call to this server failed as if it were not there: the next is asked. */
  failed(client: Client, error: RpcError): void {
    if (error.isAnswer) this.#hasAnswered = true;
    if (this.#clients.length === 1 || client !== this.#at(this.#current)) return;
    this.#isChosen = false;
    this.#current = (this.#current + 1) % this.#clients.length;
  }

  /** Ends every open call. */
  [Symbol.dispose](): void {
    for (const client of this.#clients) client.close();
  }

  #call(index: number): Client {
    this.#current = index;
    this.#isChosen = true;
    return this.#at(index);
  }

  #at(index: number): Client {
    const client = this.#clients[index];
    if (client === undefined) throw new Error(`there is no server ${index}`);
    return client;
  }
}

function probe(client: Client): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  client.makeUnaryRequest(
    methodPath(Health.method.check),
    serializer(HealthCheckRequestSchema),
    deserializer(Health.method.check.output),
    create(HealthCheckRequestSchema),
    new Metadata(),
    { deadline: grpcClock.now() + PROBE_TIMEOUT_MS },
    (error, reply?: HealthCheckResponse) => {
      if (error !== null) {
        // A server without the health service serves, as far as one can know.
        resolve(fromServiceError(error).code === "unimplemented" ? "serving" : "silent");
      } else {
        const { SERVING } = HealthCheckResponse_ServingStatus;
        resolve(reply?.status === SERVING ? "serving" : "not serving");
      }
    },
  );
  return promise;
}
