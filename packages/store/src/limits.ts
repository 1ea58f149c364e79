/** Limits that are checked before anything is sent. */
import { type CommitRequest, MAX_COMMIT_WRITES, StoreError } from "./store.ts";

/** @param what "orders of host h1" */
export function checkSize(what: string, byteCount: number, limit: number): void {
  if (byteCount <= limit) return;
  throw new StoreError("tooLarge", `${what}: ${byteCount} bytes, the limit is ${limit}`);
}

export const commitWriteCount = ({ orders, fleets, forgottenFleets }: CommitRequest): number =>
  orders.length + fleets.length + forgottenFleets.length;

export function checkWriteCount(doing: string, count: number): void {
  if (count <= MAX_COMMIT_WRITES) return;
  const text = `${doing}: ${count} writes at once, the limit is ${MAX_COMMIT_WRITES}`;
  throw new StoreError("tooLarge", text);
}
