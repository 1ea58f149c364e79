// A peer that speaks the protocol's frames and otherwise does what a test tells it, good or bad.

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  encodeFrame,
  encodeStreamData,
  type Frame,
  FrameSplitter,
  FrameStatus,
  FrameType,
  Program,
} from "../src/frame.ts";
import { connectionProcedures } from "../src/procedures/connection.ts";
import type { XdrWriter } from "../src/xdr-writer.ts";

export interface FakeDaemonOptions {
  /** Default: no authentication. */
  readonly auths?: readonly number[];
  /** Default: opens anything. */
  readonly onOpen?: (frame: Frame, peer: Peer) => void;
}

/** The daemon's end of one connection. */
export class Peer {
  readonly #socket: Socket;
  readonly #received: Frame[] = [];
  #arrival = Promise.withResolvers<void>();
  readonly closed: Promise<unknown>;

  constructor(socket: Socket, options: FakeDaemonOptions) {
    this.#socket = socket;
    this.closed = once(socket, "close");
    const splitter = new FrameSplitter();
    socket.on("data", (chunk: Buffer) => {
      splitter.push(chunk, (frame) => this.#take(frame, options));
    });
    socket.on("error", () => {}); // a client that hangs up in the middle is part of the tests
  }

  /** The next frame that is not part of the handshake. */
  async next(): Promise<Frame> {
    for (;;) {
      const frame = this.#received.shift();
      if (frame) return frame;
      await this.#arrival.promise;
    }
  }

  /** How many frames were received and not taken by `next`. */
  get waiting(): number {
    return this.#received.length;
  }

  send(...chunks: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(chunks));
  }

  reply(frame: Frame, write?: (writer: XdrWriter) => void): void {
    this.send(replyTo(frame, write));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(frame: Frame, options: FakeDaemonOptions): void {
    const { authList, supportsFeature, open, close } = connectionProcedures;
    if (frame.program === Program.remote && frame.type === FrameType.call) {
      switch (frame.procedure) {
        case authList.number:
          this.reply(frame, (w) =>
            w.array(options.auths ?? [0], (writer, auth) => writer.int(auth)),
          );
          return;
        case supportsFeature.number:
          this.reply(frame, (w) => w.int(1));
          return;
        case open.number:
          if (options.onOpen) options.onOpen(frame, this);
          else this.reply(frame);
          return;
        case close.number:
          this.reply(frame);
          return;
      }
    }
    this.#received.push(frame);
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers<void>();
  }
}

/** The bytes of a successful reply to `frame`. */
export function replyTo(frame: Frame, write?: (writer: XdrWriter) => void): Buffer {
  return encodeFrame({ ...frame, type: FrameType.reply, status: FrameStatus.ok }, write);
}

/** The bytes of a failed reply to `frame`, or of a stream packet that fails its stream. */
export function errorTo(frame: Frame, code: number, type: number = FrameType.reply): Buffer {
  return encodeFrame({ ...frame, type, status: FrameStatus.error }, (writer) => {
    writer.int(code).int(10).optionalString("refused").int(2);
    for (let word = 0; word < 4; word += 1) writer.uint(0); // no domain, no texts
    writer.int(-1).int(-1).uint(0);
  });
}

/** The bytes of a packet of the stream that `frame` opened. */
export function streamPacket(frame: Frame, status: number, data?: Uint8Array): Buffer {
  return encodeStreamData({ ...frame, type: FrameType.stream, status }, data ?? new Uint8Array());
}

/** The bytes of a message that nobody asked for. */
export function message(
  program: number,
  procedure: number,
  write?: (writer: XdrWriter) => void,
): Buffer {
  const { message: type } = FrameType;
  return encodeFrame({ program, procedure, type, serial: 0, status: FrameStatus.ok }, write);
}

export interface FakeDaemon extends AsyncDisposable {
  readonly socketPath: string;
  /** The daemon's end of the first connection. */
  readonly peer: Promise<Peer>;
}

export async function startFakeDaemon(options: FakeDaemonOptions = {}): Promise<FakeDaemon> {
  const folder = await mkdtemp(join(tmpdir(), "fake-libvirtd-"));
  const socketPath = join(folder, "sock");
  const peer = Promise.withResolvers<Peer>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    peer.resolve(new Peer(socket, options));
  });
  server.listen(socketPath);
  await once(server, "listening");
  return {
    socketPath,
    peer: peer.promise,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
      await rm(folder, { recursive: true });
    },
  };
}
