/** A real HTTP server with one file, and the faults of real ones. For tests only. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Behaviour = {
  body: Buffer;
  etag: string | undefined;
  hasRanges: boolean;
  /** Sends so many bytes of each answer, then cuts the connection. */
  cutAfterBytes: number | undefined;
  /** Sends so many bytes of each answer, then nothing more. */
  hangAfterBytes: number | undefined;
  status: number | undefined;
};

export type FileServer = AsyncDisposable & {
  readonly url: string;
  /** Changed at will between requests. */
  readonly behaviour: Behaviour;
  /** The Range header of every request so far; undefined where there was none. */
  readonly ranges: readonly (string | undefined)[];
  /** Ends with the next request whose client went away before its answer ended. */
  nextAbandoned(): Promise<void>;
};

export async function startFileServer(body: Buffer): Promise<FileServer> {
  const behaviour: Behaviour = {
    body,
    etag: '"1"',
    hasRanges: true,
    cutAfterBytes: undefined,
    hangAfterBytes: undefined,
    status: undefined,
  };
  const ranges: (string | undefined)[] = [];
  let onAbandoned: () => void = () => undefined;
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    response.on("close", () => {
      if (!response.writableFinished) onAbandoned();
    });
    answer(behaviour, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/disk.qcow2`,
    behaviour,
    ranges,
    nextAbandoned: () =>
      new Promise((resolve) => {
        onAbandoned = resolve;
      }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(behaviour: Behaviour, request: IncomingMessage, response: ServerResponse): void {
  const { body, etag, hasRanges, cutAfterBytes, hangAfterBytes, status } = behaviour;
  if (status !== undefined) {
    response.writeHead(status).end();
    return;
  }
  const ifRange = request.headers["if-range"];
  const isSame = ifRange === undefined || ifRange === etag;
  const match = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  const start = hasRanges && isSame && match !== null ? Number(match[1]) : 0;
  const isPartial = start > 0;
  response.writeHead(isPartial ? 206 : 200, {
    "content-length": body.length - start,
    ...(etag === undefined ? {} : { etag }),
    ...(isPartial && { "content-range": `bytes ${start}-${body.length - 1}/${body.length}` }),
  });
  const limit = cutAfterBytes ?? hangAfterBytes;
  if (limit === undefined) {
    response.end(body.subarray(start));
    return;
  }
  response.write(body.subarray(start, start + limit), () => {
    if (cutAfterBytes !== undefined) response.destroy();
  });
}
