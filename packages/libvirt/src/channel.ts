// What travels over one socket, told apart by its frames: calls, streams, messages, keepalives.

import type { Socket } from "node:net";
import { ByteStream } from "./byte-stream.ts";
import type { Caller, CallOptions } from "./caller.ts";
import { type Call, Calls, readError } from "./calls.ts";
import { LibvirtError } from "./error.ts";
import {
  encodeFrame,
  encodeStreamData,
  type Frame,
  type FrameHeader,
  FrameSplitter,
  FrameStatus,
  FrameType,
  PROGRAM_VERSION,
  Program,
} from "./frame.ts";
import { Keepalive, type KeepaliveOptions, KeepaliveProcedure } from "./keepalive.ts";
import type { Procedure } from "./procedure.ts";
import { XdrReader } from "./xdr-reader.ts";

export interface ChannelOptions {
  readonly socket: Socket;
  readonly maxCallsInFlight: number;
  readonly timeoutMs: number;
  /** Takes what the daemon says unasked. Throws a LibvirtError `protocol` on a lie. */
  readonly onMessage: (procedure: number, reader: XdrReader) => void;
  /** Told once, when everything that was pending has failed with `error`. */
  readonly onEnd: (error: LibvirtError) => void;
}

interface Live {
  readonly kind: "live";
  readonly socket: Socket;
  readonly calls: Calls;
  readonly streams: Map<number, ByteStream>;
  /** Streams that hold more than they should: while there is one, the socket is not read. */
  readonly full: Set<number>;
  keepalive: Keepalive | undefined;
}

type Phase = Live | { readonly kind: "ended"; readonly error: LibvirtError };

// Serials are unsigned words. They never meet again: that takes four thousand million calls.
const SERIAL_END = 2 ** 32;

// What a timer of Node takes, 24 days; it fires at once when it is given more.
const TIMER_MAX_MS = 2 ** 31 - 1;

export class Channel implements Caller {
  readonly #options: ChannelOptions;
  readonly #splitter = new FrameSplitter();
  #phase: Phase;
  #lastSerial = 0;

  constructor(options: ChannelOptions) {
    const { socket, maxCallsInFlight } = options;
    this.#options = options;
    this.#phase = {
      kind: "live",
      socket,
      calls: new Calls(maxCallsInFlight, (bytes) => socket.write(bytes)),
      streams: new Map(),
      full: new Set(),
      keepalive: undefined,
    };
    let cause: unknown;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("drain", () => this.#drained());
    socket.on("error", (error) => {
      cause = error;
    });
    socket.on("close", () => {
      this.end(new LibvirtError("connection-lost", "libvirt: the daemon hung up", { cause }));
    });
  }

  /** Starts to watch over the daemon. */
  keepAlive(options: KeepaliveOptions): void {
    if (this.#phase.kind === "ended") return;
    const ping = () => this.#sendKeepalive(KeepaliveProcedure.ping);
    const giveUp = () => {
      const problem = `the daemon left ${options.misses} keepalives unanswered`;
      this.end(new LibvirtError("connection-lost", `libvirt: ${problem}`));
    };
    this.#phase.keepalive = new Keepalive(options, ping, giveUp);
  }

  async call<Args, Reply>(
    procedure: Procedure<Args, Reply>,
    args: Args,
    options: CallOptions = {},
  ): Promise<Reply> {
    const { calls } = this.#live();
    return calls.start(this.#prepare(procedure, args, options));
  }

  async openStream<Args>(
    procedure: Procedure<Args, void>,
    args: Args,
    options: CallOptions = {},
  ): Promise<ByteStream> {
    const { calls, streams } = this.#live();
    const call = this.#prepare(procedure, args, options);
    const { serial } = call;
    const header = { ...remoteHeader(procedure.number, serial), type: FrameType.stream };
    // Registered before the call is sent: data may follow the reply in the same packet.
    const stream = this.#createStream(header, call);
    streams.set(serial, stream);
    const onLateReply = () => this.#send(encodeFrame({ ...header, status: FrameStatus.error }));
    try {
      await calls.start({ ...call, onLateReply });
    } catch (error) {
      streams.delete(serial);
      throw error;
    }
    stream.opened(options.signal);
    return stream;
  }

  /** Ends the channel for good. Has no effect on one that has ended. */
  end(error: LibvirtError): void {
    const phase = this.#phase;
    if (phase.kind === "ended") return;
    this.#phase = { kind: "ended", error };
    phase.keepalive?.stop();
    phase.socket.destroy();
    phase.calls.end(error);
    for (const stream of phase.streams.values()) stream.fail(error);
    this.#options.onEnd(error);
  }

  #prepare<Args, Reply>(
    procedure: Procedure<Args, Reply>,
    args: Args,
    options: CallOptions,
  ): Call<Reply> {
    this.#lastSerial = (this.#lastSerial + 1) % SERIAL_END;
    const serial = this.#lastSerial;
    return {
      serial,
      name: procedure.name,
      bytes: encodeCall(procedure, serial, args),
      decode: procedure.decode,
      signal: options.signal,
      timeoutMs: Math.min(options.timeoutMs ?? this.#options.timeoutMs, TIMER_MAX_MS),
    };
  }

  #createStream(header: Omit<FrameHeader, "status">, call: Call<void>): ByteStream {
    const { serial } = header;
    return new ByteStream({
      name: call.name,
      timeoutMs: call.timeoutMs,
      send: (status, data) =>
        this.#send(
          data ? encodeStreamData({ ...header, status }, data) : encodeFrame({ ...header, status }),
        ),
      setReadable: (isReadable) => this.#setReadable(serial, isReadable),
      release: () => {
        if (this.#phase.kind === "live") this.#phase.streams.delete(serial);
      },
    });
  }

  #receive(chunk: Buffer): void {
    if (this.#phase.kind === "ended") return;
    this.#phase.keepalive?.heard();
    try {
      this.#splitter.push(chunk, (frame) => this.#dispatch(frame));
    } catch (error) {
      if (!(error instanceof LibvirtError)) throw error;
      this.end(error);
    }
  }

  #dispatch(frame: Frame): void {
    const phase = this.#phase;
    if (phase.kind === "ended") return;
    if (frame.version !== PROGRAM_VERSION) {
      throw new LibvirtError("protocol", `reading a frame: its version is ${frame.version}`);
    }
    if (frame.program === Program.keepalive) {
      if (frame.procedure === KeepaliveProcedure.ping) this.#sendKeepalive(KeepaliveProcedure.pong);
      return;
    }
    if (frame.program !== Program.remote) {
      throw new LibvirtError("protocol", `reading a frame: its program is ${frame.program}`);
    }
    switch (frame.type) {
      case FrameType.reply:
        phase.calls.settle(frame);
        return;
      case FrameType.stream:
        this.#dispatchStream(phase, frame);
        return;
      case FrameType.message:
        this.#options.onMessage(frame.procedure, new XdrReader(frame.payload));
        return;
      default:
        throw new LibvirtError("protocol", `reading a frame: its type is ${frame.type}`);
    }
  }

  #dispatchStream(phase: Live, frame: Frame): void {
    // Data of a stream that was given up may still be on its way: it has no receiver any more.
    const stream = phase.streams.get(frame.serial);
    if (!stream) return;
    switch (frame.status) {
      case FrameStatus.continue:
        stream.receive(frame.payload);
        return;
      case FrameStatus.ok:
        stream.confirm();
        return;
      case FrameStatus.error:
        stream.fail(readError(stream.name, new XdrReader(frame.payload)));
        return;
      default:
        throw new LibvirtError("protocol", `reading a stream: its status is ${frame.status}`);
    }
  }

  #drained(): void {
    if (this.#phase.kind === "ended") return;
    for (const stream of this.#phase.streams.values()) stream.drained();
  }

  #setReadable(serial: number, isReadable: boolean): void {
    if (this.#phase.kind === "ended") return;
    const { full, socket } = this.#phase;
    if (isReadable) full.delete(serial);
    else full.add(serial);
    if (full.size > 0) socket.pause();
    else socket.resume();
  }

  #sendKeepalive(procedure: number): void {
    const { message: type } = FrameType;
    const { ok: status } = FrameStatus;
    this.#send(encodeFrame({ program: Program.keepalive, procedure, type, serial: 0, status }));
  }

  // What a dead connection cannot send any more has failed already.
  #send(bytes: Buffer): boolean {
    return this.#phase.kind === "live" && this.#phase.socket.write(bytes);
  }

  #live(): Live {
    if (this.#phase.kind === "ended") throw this.#phase.error;
    return this.#phase;
  }
}

function remoteHeader(procedure: number, serial: number): FrameHeader {
  const { call: type } = FrameType;
  return { program: Program.remote, procedure, type, serial, status: FrameStatus.ok };
}

function encodeCall<Args, Reply>(
  procedure: Procedure<Args, Reply>,
  serial: number,
  args: Args,
): Buffer {
  try {
    return encodeFrame(remoteHeader(procedure.number, serial), (writer) =>
      procedure.encode(writer, args),
    );
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new LibvirtError("invalid-argument", `${procedure.name}: ${problem}`, { cause: error });
  }
}
