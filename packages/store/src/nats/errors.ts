/** Errors of nats.js become the store's here, by class and code, and nowhere else. */
import { CodecError } from "@evm/codec";
import { JetStreamApiError } from "@nats-io/jetstream";
import { errors } from "@nats-io/transport-node";
import { StoreError, type StoreErrorCode } from "../store.ts";

/** Codes of the JetStream API, from nats-server's errors.json. */
export const API_CODES = {
  wrongLastSequence: 10071,
  /** The same, while another write to the subject is under way. */
  wrongLastSequenceUnknown: 10164,
  batchTooLarge: 10199,
  storageExceeded: 10047,
  maximumBytesExceeded: 10077,
  messageTooLarge: 10054,
  notEnabled: 10076,
  notEnabledForAccount: 10039,
} as const;

const CODE_OF_API_ERROR: ReadonlyMap<number, StoreErrorCode> = new Map([
  [API_CODES.maximumBytesExceeded, "tooLarge"],
  [API_CODES.messageTooLarge, "tooLarge"],
  [API_CODES.batchTooLarge, "tooLarge"],
  [API_CODES.notEnabled, "unsuitable"],
  [API_CODES.notEnabledForAccount, "unsuitable"],
  [API_CODES.storageExceeded, "unsuitable"],
]);

/** An error that JetStream answers with. Whatever is not known to last is worth another try. */
export function apiStoreError(
  doing: string,
  code: number,
  description: string,
  cause?: unknown,
): StoreError {
  const text = `${doing}: ${description} (JetStream error ${code})`;
  return new StoreError(CODE_OF_API_ERROR.get(code) ?? "unavailable", text, { cause });
}

/** @param doing what was being done, for the message: "reading orders of host h1" */
export function toStoreError(doing: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (error instanceof CodecError) {
    return new StoreError("corrupt", `${doing}: ${error.message}`, { cause: error });
  }
  if (error instanceof JetStreamApiError) {
    return apiStoreError(doing, error.code, error.message, error);
  }
  return new StoreError(codeOf(error), `${doing}: ${describe(error)}`, { cause: error });
}

export const isNoResponders = (error: unknown): boolean =>
  error instanceof errors.NoRespondersError ||
  (error instanceof errors.RequestError && error.isNoResponders());

export const isTimeout = (error: unknown): boolean =>
  error instanceof errors.TimeoutError ||
  (error instanceof errors.RequestError && error.cause instanceof errors.TimeoutError);

function codeOf(error: unknown): StoreErrorCode {
  if (error instanceof errors.InvalidArgumentError) return "tooLarge";
  if (error instanceof errors.AuthorizationError) return "unsuitable";
  if (error instanceof errors.PermissionViolationError) return "unsuitable";
  return "unavailable";
}

function describe(error: unknown): string {
  if (isNoResponders(error)) return "nobody answers";
  if (isTimeout(error)) return "no answer in time";
  return error instanceof Error ? error.message : String(error);
}
