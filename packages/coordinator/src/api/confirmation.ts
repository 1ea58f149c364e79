/** Refusals of what would disturb much, until the request names how much. */
import { RpcError } from "@evm/protocol";

/** As an ErrorInfo, so that programs need not read the words. */
const REASON = "CONFIRMATION_NEEDED";

export type Confirmation = {
  /** What `confirmed` has to be. */
  readonly confirm: number;
  /** What it is. */
  readonly confirmed: number | undefined;
  /** Beside `confirm`. */
  readonly metadata: { readonly [name: string]: number };
};

/** @param what "this would replace 312 of 1000 instances on 20 of 50 hosts" */
export function confirmationNeeded(
  what: string,
  { confirm, confirmed, metadata }: Confirmation,
): RpcError {
  const said = confirmed === undefined ? "" : `, not ${confirmed}`;
  const entries = Object.entries({ ...metadata, confirm });
  const info = {
    reason: REASON,
    metadata: Object.fromEntries(entries.map(([name, value]) => [name, String(value)])),
  };
  return new RpcError("failedPrecondition", `${what}${said}; confirm with --confirm ${confirm}`, {
    info,
  });
}
