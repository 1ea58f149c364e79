/** A registry of a test's own, on loopback: one image of one layer, under any name. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

const MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG_TYPE = "application/vnd.docker.container.image.v1+json";
const LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/** Tag `missing` is unknown; under `broken/…` the layer is cut in the middle, and never resumed. */
export class TestRegistry implements AsyncDisposable {
  readonly #server = createServer();
  readonly #blobs = new Map<string, Buffer>();
  #manifest = Buffer.alloc(0);
  #port = 0;
  /** How often a layer was asked for. */
  layerRequests = 0;

  static async start(): Promise<TestRegistry> {
    const registry = new TestRegistry();
    await registry.#fill();
    registry.#server.on("request", (request, response) => registry.#answer(request, response));
    registry.#server.listen(0, "127.0.0.1");
    await once(registry.#server, "listening");
    const address = registry.#server.address();
    if (address !== null && typeof address === "object") registry.#port = address.port;
    return registry;
  }

  reference(name: string): string {
    return `127.0.0.1:${this.#port}/${name}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #fill(): Promise<void> {
    const archive = pack();
    // Does not compress, so that half of the layer is half of the file.
    const content = Buffer.concat(Array.from({ length: 8192 }, (_, n) => sha256(`${n}`)));
    archive.entry({ name: "content" }, content);
    archive.finalize();
    const layer = await buffer(archive);
    const config = Buffer.from(
      JSON.stringify({
        architecture: "amd64",
        os: "linux",
        config: { Cmd: ["/content"] },
        rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
      }),
    );
    const layers = [this.#store(LAYER_TYPE, gzipSync(layer))];
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: this.#store(CONFIG_TYPE, config),
      layers,
    };
    this.#manifest = Buffer.from(JSON.stringify(manifest));
  }

  #store(mediaType: string, content: Buffer) {
    const digest = digestOf(content);
    this.#blobs.set(digest, content);
    return { mediaType, size: content.length, digest };
  }

  #answer({ url = "", headers }: IncomingMessage, response: ServerResponse): void {
    const [, name = "", kind, id = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(url) ?? [];
    if (url === "/v2/") response.end("{}");
    else if (kind === "manifests" && id !== "missing") this.#answerManifest(response);
    else if (kind === "blobs") this.#answerBlob(name, id, headers.range !== undefined, response);
    else {
      const errors = [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }];
      response.writeHead(404, { "content-type": "application/json" });
      response.end(JSON.stringify({ errors }));
    }
  }

  #answerManifest(response: ServerResponse): void {
    response.setHeader("content-type", MANIFEST_TYPE);
    response.setHeader("content-length", this.#manifest.length);
    response.setHeader("docker-content-digest", digestOf(this.#manifest));
    response.end(this.#manifest);
  }

  #answerBlob(name: string, digest: string, isResumed: boolean, response: ServerResponse): void {
    const blob = this.#blobs.get(digest) ?? Buffer.alloc(0);
    const isLayer = blob.length > 10_000;
    if (isLayer) this.layerRequests++;
    response.setHeader("content-length", blob.length);
    if (!isLayer || !name.startsWith("broken/")) response.end(blob);
    else if (isResumed) response.destroy();
    else response.write(blob.subarray(0, blob.length / 2), () => response.destroy());
  }
}

const sha256 = (content: string | Buffer): Buffer => createHash("sha256").update(content).digest();
const digestOf = (content: Buffer): string => `sha256:${sha256(content).toString("hex")}`;
