/**
 * Verbs over core NATS. A coordinator asks on the host's verb subject, naming a new stream; once
 * the host has accepted, frames go over the stream's two subjects, one for each direction.
 *
 *  T1 Frames are numbered. One that is missing, as after a reconnect, ends the stream: bytes are
 *     never left out.
 *  T2 Each end says every `ALIVE_INTERVAL_MS` that it is there. One that is not heard of for
 *     more than `MAX_SILENT_INTERVALS` of these ends the stream at the other.
 */

import type { HostName } from "@evm/fleet";
import { hostVerbSubject, verbStreamSubject } from "@evm/protocol";
import { headers, type Msg, nuid } from "@nats-io/transport-node";
import {
  type HostStream,
  type HostVerb,
  isStoreErrorCode,
  StoreError,
  type VerbHandler,
} from "../store.ts";
import {
  type Frame,
  failOnAbort,
  MAX_STREAMS_PER_HOST,
  runHandler,
  VerbStream,
} from "../verb-stream.ts";
import type { Link } from "./link.ts";

const ALIVE_INTERVAL_MS = 2_000;
/** Ten seconds at the most: a link that is slow is not one that is gone. */
const MAX_SILENT_INTERVALS = 4;

const STREAM_HEADER = "Evm-Stream";
const REFUSED_HEADER = "Evm-Refused";
const FRAME_HEADER = "Evm-Frame";
const SEQUENCE_HEADER = "Evm-Sequence";
const CODE_HEADER = "Evm-Code";

const NOTHING = new Uint8Array();

/** Opens a verb on a host; `signal` ends the stream too. */
export async function openVerb(
  link: Link,
  host: HostName,
  verb: HostVerb,
  request: Uint8Array,
  signal: AbortSignal,
): Promise<HostStream> {
  const doing = `${verb} of host ${host}`;
  link.ensureConnected(doing, signal);
  const id = nuid.next();
  const stream = carry(link, doing, {
    sending: verbStreamSubject(host, id, "in"),
    receiving: verbStreamSubject(host, id, "out"),
  });
  try {
    const header = headers();
    header.set(STREAM_HEADER, id);
    const subject = hostVerbSubject(host, verb);
    const answer = await link.request(doing, subject, request, signal, { headers: header });
    const refused = answer.headers?.get(REFUSED_HEADER) ?? "";
    if (refused !== "") throw new StoreError("unavailable", `${doing}: ${refused}`);
  } catch (error) {
    // Tells the host too, should it have accepted after all.
    stream.close();
    throw error;
  }
  failOnAbort(stream, doing, signal);
  return stream;
}

/** Serves the verbs of one host. */
export class VerbServer {
  readonly #link: Link;
  readonly #host: HostName;
  #openCount = 0;

  constructor(link: Link, host: HostName) {
    this.#link = link;
    this.#host = host;
  }

  serve(verb: HostVerb, handler: VerbHandler, signal: AbortSignal): void {
    const accept = (message: Msg) => this.#accept(verb, handler, message, signal);
    this.#link.subscribe(hostVerbSubject(this.#host, verb), accept, signal);
  }

  #accept(verb: HostVerb, handler: VerbHandler, message: Msg, signal: AbortSignal): void {
    const id = message.headers?.get(STREAM_HEADER) ?? "";
    const refused = this.#refusal(id);
    if (refused !== undefined) {
      const header = headers();
      header.set(REFUSED_HEADER, refused);
      message.respond(NOTHING, { headers: header });
      return;
    }
    const doing = `${verb} of host ${this.#host}`;
    const stream = carry(this.#link, doing, {
      sending: verbStreamSubject(this.#host, id, "out"),
      receiving: verbStreamSubject(this.#host, id, "in"),
    });
    this.#openCount += 1;
    stream.over.addEventListener("abort", () => {
      this.#openCount -= 1;
    });
    const stop = () =>
      stream.fail(new StoreError("unavailable", `${doing}: the host no longer serves it`));
    signal.addEventListener("abort", stop, { once: true, signal: stream.over });
    message.respond(NOTHING);
    void runHandler(handler, message.data, stream);
  }

  #refusal(id: string): string | undefined {
    if (!/^[A-Za-z0-9]+$/.test(id)) return "the request names no stream";
    if (this.#openCount < MAX_STREAMS_PER_HOST) return undefined;
    return `${MAX_STREAMS_PER_HOST} streams are open there already`;
  }
}

/** One end of a stream, its frames carried by the two subjects until it is over. */
function carry(
  link: Link,
  doing: string,
  subjects: { readonly sending: string; readonly receiving: string },
): VerbStream {
  let sent = 0;
  let received = 0;
  let silentIntervals = 0;
  const transmit = (kind: string, payload: Uint8Array, code?: string) => {
    if (link.nats.isClosed()) return;
    const header = headers();
    header.set(FRAME_HEADER, kind);
    header.set(SEQUENCE_HEADER, String(++sent));
    if (code !== undefined) header.set(CODE_HEADER, code);
    link.nats.publish(subjects.sending, payload, { headers: header });
  };
  const stream = new VerbStream(doing, (frame) => transmit(...toParts(frame)));
  const receive = (message: Msg) => {
    silentIntervals = 0;
    if (Number(message.headers?.get(SEQUENCE_HEADER)) !== ++received) {
      stream.fail(new StoreError("unavailable", `${doing}: part of the stream was lost`));
      return;
    }
    const frame = toFrame(message);
    if (frame !== undefined) stream.receive(frame);
  };
  const beat = setInterval(() => {
    silentIntervals += 1;
    if (silentIntervals > MAX_SILENT_INTERVALS) {
      stream.fail(new StoreError("unavailable", `${doing}: the other side fell silent`));
    } else {
      transmit("alive", NOTHING);
    }
  }, ALIVE_INTERVAL_MS);
  stream.over.addEventListener("abort", () => clearInterval(beat), { once: true });
  link.subscribe(subjects.receiving, receive, stream.over);
  failOnAbort(stream, doing, link.closed);
  return stream;
}

function toParts(frame: Frame): [kind: string, payload: Uint8Array, code?: string] {
  switch (frame.kind) {
    case "data":
      return [frame.kind, frame.bytes];
    case "credit":
      return [frame.kind, new TextEncoder().encode(String(frame.byteCount))];
    case "end":
      return [frame.kind, NOTHING];
    case "error":
      return [frame.kind, new TextEncoder().encode(frame.text), frame.code];
  }
}

/** Undefined for a sign of life. */
function toFrame(message: Msg): Frame | undefined {
  const kind = message.headers?.get(FRAME_HEADER);
  switch (kind) {
    case "data":
      return { kind, bytes: message.data };
    case "credit":
      return { kind, byteCount: Number(message.string()) };
    case "end":
      return { kind };
    case "error": {
      const code = message.headers?.get(CODE_HEADER) ?? "";
      return { kind, code: isStoreErrorCode(code) ? code : "failed", text: message.string() };
    }
    default:
      return undefined;
  }
}
