/** Verbs between the participants of an in-memory store: two ends, and frames handed across. */
import type { HostName } from "@evm/fleet";
import { type HostVerb, StoreError, type VerbHandler } from "../store.ts";
import {
  type Frame,
  failOnAbort,
  MAX_STREAMS_PER_HOST,
  runHandler,
  VerbStream,
} from "../verb-stream.ts";
import { hostKey, type Participant } from "./participant.ts";

export class Verbs {
  readonly #isConnected: (participant: Participant) => boolean;
  readonly #handlers = new Map<string, VerbHandler>();
  /** Open streams, each end with the participant that owns it. */
  readonly #streams = new Map<VerbStream, Participant>();

  constructor(isConnected: (participant: Participant) => boolean) {
    this.#isConnected = isConnected;
  }

  serve(host: HostName, verb: HostVerb, handler: VerbHandler, signal: AbortSignal): void {
    const name = `${hostKey(host)}/${verb}`;
    const own: VerbHandler = async (request, stream, over) => handler(request, stream, over);
    this.#handlers.set(name, own);
    const stop = () => {
      if (this.#handlers.get(name) === own) this.#handlers.delete(name);
      this.#endAll(hostKey(host), `${name} is no longer served`);
    };
    signal.addEventListener("abort", stop, { once: true });
  }

  /** @throws StoreError unavailable where the host does not serve the verb */
  open(
    coordinator: Participant,
    host: HostName,
    verb: HostVerb,
    request: Uint8Array,
    signal: AbortSignal,
  ): VerbStream {
    const doing = `${verb} of host ${host}`;
    const handler = this.#handlers.get(`${hostKey(host)}/${verb}`);
    if (handler === undefined || !this.#isConnected(hostKey(host))) {
      throw new StoreError("unavailable", `${doing}: the host does not answer`);
    }
    if (this.#countOf(hostKey(host)) >= MAX_STREAMS_PER_HOST) {
      const text = `${doing}: ${MAX_STREAMS_PER_HOST} streams are open there already`;
      throw new StoreError("unavailable", text);
    }
    const near: VerbStream = new VerbStream(doing, (frame) => deliver(frame, far));
    const far: VerbStream = new VerbStream(doing, (frame) => deliver(frame, near));
    this.#own(near, coordinator);
    this.#own(far, hostKey(host));
    failOnAbort(near, doing, signal);
    void runHandler(handler, request, far);
    return near;
  }

  /** Ends every stream of a participant that was cut off. */
  cut(participant: Participant): void {
    this.#endAll(participant, `${participant} was cut off`);
  }

  #own(stream: VerbStream, participant: Participant): void {
    this.#streams.set(stream, participant);
    stream.over.addEventListener("abort", () => this.#streams.delete(stream), { once: true });
  }

  #countOf(participant: Participant): number {
    return [...this.#streams.values()].filter((owner) => owner === participant).length;
  }

  #endAll(participant: Participant, text: string): void {
    for (const [stream, owner] of [...this.#streams]) {
      if (owner === participant) stream.fail(new StoreError("unavailable", text));
    }
  }
}

/** In a later turn, as anything that comes over a network. */
function deliver(frame: Frame, to: VerbStream): void {
  queueMicrotask(() => to.receive(frame));
}
