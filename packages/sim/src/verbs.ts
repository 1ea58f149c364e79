/**
 * Verbs over the simulated network: a coordinator asks a host, and frames go both ways. They are
 * taken in order; where one is lost those after it wait for good, until somebody gives up.
 */
import {
  type Frame,
  failOnAbort,
  type HostStream,
  type HostVerb,
  runHandler,
  StoreError,
  type VerbHandler,
  VerbStream,
} from "@evm/store";
import type { Endpoint, Network } from "./network.ts";

type Served = { readonly endpoint: Endpoint; readonly handler: VerbHandler };

export type VerbRequest = {
  /** Name of the host on the network. */
  readonly to: string;
  readonly verb: HostVerb;
  readonly request: Uint8Array;
  /** Ends the stream. */
  readonly signal: AbortSignal;
};

/** One of these is called, unless what was asked or its answer is lost. */
type Settle = {
  readonly resolve: (stream: HostStream) => void;
  readonly reject: (error: StoreError) => void;
};

export class Verbs {
  readonly #network: Network;
  readonly #served = new Map<string, Served>();

  constructor(network: Network) {
    this.#network = network;
  }

  serve(endpoint: Endpoint, verb: HostVerb, handler: VerbHandler, signal: AbortSignal): void {
    const key = `${endpoint.name}/${verb}`;
    const served = { endpoint, handler };
    this.#served.set(key, served);
    const stop = () => {
      if (this.#served.get(key) === served) this.#served.delete(key);
    };
    signal.addEventListener("abort", stop, { once: true });
  }

  /** Asks a host on behalf of `from`. */
  open(from: Endpoint, { to, verb, request, signal }: VerbRequest, settle: Settle): void {
    const doing = `${verb} of ${to}`;
    const answer = (act: () => void) =>
      this.#network.send(to, from.name, 0, () => from.process.receive(act));
    this.#network.send(from.name, to, 0, () => {
      const served = this.#served.get(`${to}/${verb}`);
      if (served === undefined) {
        const error = new StoreError("unavailable", `${doing}: the host does not answer`);
        answer(() => settle.reject(error));
        return;
      }
      const { endpoint, handler } = served;
      const out = this.#wire(from, endpoint);
      const back = this.#wire(endpoint, from);
      const near: VerbStream = new VerbStream(doing, (frame) => out(far, frame));
      const far: VerbStream = new VerbStream(doing, (frame) => back(near, frame));
      endpoint.process.receive(() => {
        answer(() => {
          failOnAbort(near, doing, signal);
          settle.resolve(near);
        });
        failOnAbort(far, doing, endpoint.process.signal);
        void runHandler(handler, request, far);
      });
    });
  }

  /** Carries what one side sends to the other. */
  #wire(from: Endpoint, to: Endpoint): (stream: VerbStream, frame: Frame) => void {
    let sent = 0;
    let taken = 0;
    /** Came too early. */
    const waiting = new Map<number, Frame>();
    return (stream, frame) => {
      const number = sent++;
      if (from.process.signal.aborted) return;
      this.#network.send(from.name, to.name, 0, () =>
        to.process.receive(() => {
          waiting.set(number, frame);
          for (let next = waiting.get(taken); next !== undefined; next = waiting.get(taken)) {
            waiting.delete(taken);
            taken += 1;
            stream.receive(next);
          }
        }),
      );
    };
  }
}
