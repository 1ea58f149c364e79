/** A TCP proxy in front of a server, to lose connections at a chosen byte or without a word. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #targetPort: number;
  #cutMarker: string | undefined;
  readonly #lostSubjects = new Set<string>();
  #isFrozen = false;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer((client) => this.#join(client));
  }

  /** @param url of the server: `nats://127.0.0.1:4222` */
  static async to(url: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(Number(new URL(url).port));
    await once(proxy.#server.listen(0, "127.0.0.1"), "listening");
    return proxy;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("proxy: not listening");
    return `nats://127.0.0.1:${address.port}`;
  }

  /** Once: cuts the connection of a client just before what it sends with this text in it. */
  cutBefore(marker: string): void {
    this.#cutMarker = marker;
  }

  /** Once: loses what a client publishes to a subject that begins so, as a server may do. */
  lose(subject: string): void {
    this.#lostSubjects.add(subject);
  }

  /** Those that nobody has published to yet. */
  get toLose(): readonly string[] {
    return [...this.#lostSubjects];
  }

  /** Passes nothing on any more, and tells nobody. */
  freeze(): void {
    this.#isFrozen = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await this.#server[Symbol.asyncDispose]();
  }

  #join(client: Socket): void {
    const target = connect(this.#targetPort, "127.0.0.1");
    for (const socket of [client, target]) {
      this.#sockets.add(socket);
      // The close that follows ends the other side too.
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        client.destroy();
        target.destroy();
      });
    }
    target.on("data", (data) => {
      if (!this.#isFrozen) client.write(data);
    });
    client.on("data", (sent) => {
      if (this.#isFrozen) return;
      const data = this.#withoutLost(sent);
      const cut = this.#cutMarker === undefined ? -1 : data.indexOf(this.#cutMarker);
      if (cut < 0) {
        target.write(data);
        return;
      }
      this.#cutMarker = undefined;
      target.end(data.subarray(0, cut));
    });
  }

  /** `PUB <subject> <reply> <length>`, then the payload, each with a line's end. */
  #withoutLost(data: Buffer): Buffer {
    let left = data;
    for (const subject of this.#lostSubjects) {
      const start = left.indexOf(`PUB ${subject}`);
      if (start < 0) continue;
      this.#lostSubjects.delete(subject);
      const lineEnd = left.indexOf("\r\n", start);
      const length = Number(left.toString("latin1", start, lineEnd).split(" ").at(-1));
      const end = lineEnd + length + 2 * "\r\n".length;
      left = Buffer.concat([left.subarray(0, start), left.subarray(end)]);
    }
    return left;
  }
}
