/** Pages of a sorted list: a token names the last item sent, so changes in between do no harm. */
import { RpcError } from "@evm/protocol";

const DEFAULT_PAGE_SIZE = 100;
/** A page of the largest items stays well under gRPC's 4 MiB for a message. */
const MAX_PAGE_SIZE = 1_000;

export type PageRequest = { readonly pageSize: number; readonly pageToken: string };

/** How many items a page holds; refuses more than there may be. */
export function pageSizeOf({ pageSize }: Pick<PageRequest, "pageSize">): number {
  if (pageSize > MAX_PAGE_SIZE) {
    throw new RpcError("invalidArgument", `page_size ${pageSize}: at most ${MAX_PAGE_SIZE}`, {
      violations: [{ field: "page_size", description: `${pageSize}: at most ${MAX_PAGE_SIZE}` }],
    });
  }
  return pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize;
}

/** @param items sorted by `keyOf` by the order of `<` on strings */
export function pageOf<T>(
  items: readonly T[],
  request: PageRequest,
  keyOf: (item: T) => string,
): { readonly page: readonly T[]; readonly nextPageToken: string } {
  const size = pageSizeOf(request);
  const after = request.pageToken === "" ? undefined : decodeToken(request.pageToken);
  const found = after === undefined ? 0 : items.findIndex((item) => keyOf(item) > after);
  const start = found === -1 ? items.length : found;
  const page = items.slice(start, start + size);
  const last = page.at(-1);
  const isLastPage = last === undefined || start + size >= items.length;
  return { page, nextPageToken: isLastPage ? "" : encodeToken(keyOf(last)) };
}

const encodeToken = (key: string): string => Buffer.from(key).toString("base64url");

function decodeToken(token: string): string {
  const key = Buffer.from(token, "base64url").toString();
  if (encodeToken(key) === token) return key;
  throw new RpcError("invalidArgument", `page_token "${token}": not one that this API gave out`, {
    violations: [{ field: "page_token", description: "not one that this API gave out" }],
  });
}
