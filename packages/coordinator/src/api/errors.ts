/** Everything that a handler can throw, as what a client gets. */
import { CodecError, describeProblem } from "@evm/codec";
import { type CallContext, type RpcCode, RpcError } from "@evm/protocol";
import { StoreError, type StoreErrorCode } from "@evm/store";
import { errorText, type Log } from "@evm/telemetry";

const STORE_CODES = {
  unavailable: "unavailable",
  unsuitable: "failedPrecondition",
  tooLarge: "resourceExhausted",
  notFound: "notFound",
  corrupt: "dataLoss",
  cancelled: "cancelled",
  failed: "internal",
} as const satisfies Record<StoreErrorCode, RpcCode>;

/** Converts, and logs what the client cannot be blamed for. */
export function toRpcError(error: unknown, call: CallContext, log: Log): RpcError {
  if (error instanceof RpcError) return error;
  if (call.signal.aborted) return new RpcError("cancelled", `${call.method}: the client has gone`);
  if (error instanceof CodecError) {
    const violations = error.problems.map((problem) => ({
      field: problem.field,
      description: describeProblem({ ...problem, field: "" }),
    }));
    return new RpcError("invalidArgument", error.message, { violations, cause: error });
  }
  if (error instanceof StoreError) {
    return new RpcError(STORE_CODES[error.code], errorText(error), { cause: error });
  }
  log.error("a call failed by a defect", { method: call.method, error });
  return new RpcError("internal", `${call.method}: ${errorText(error)}`, { cause: error });
}

export const notFound = (what: string, name: string): RpcError =>
  new RpcError("notFound", `${what} "${name}": there is none of this name`);
