/** Where foreign errors become the driver's. */
import { ImageError } from "@evm/images";
import { LibvirtError, type LibvirtErrorCode } from "@evm/libvirt";
import { cancelled, DriverError, type DriverErrorCode } from "../driver.ts";

/** What is not here is `failed`. */
const CODES: { readonly [code in LibvirtErrorCode]?: DriverErrorCode } = {
  "connect-failed": "unavailable",
  "connection-lost": "unavailable",
  "connection-closed": "unavailable",
  "timed-out": "unavailable",
  overloaded: "unavailable",
  OPERATION_TIMEOUT: "unavailable",
  RESOURCE_BUSY: "unavailable",
  aborted: "cancelled",
  NO_DOMAIN: "notFound",
  NO_MEMORY: "exhausted",
  CONFIG_UNSUPPORTED: "invalid",
  XML_ERROR: "invalid",
  XML_DETAIL: "invalid",
  XML_INVALID_SCHEMA: "invalid",
};

/** @param doing what the driver was asked for, such as "starting school-linux-0042.3" */
export function toDriverError(doing: string, signal: AbortSignal, error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  if (signal.aborted) return cancelled(doing, signal, error);
  const text = error instanceof Error ? error.message : String(error);
  const wrap = (code: DriverErrorCode) =>
    new DriverError(code, `${doing}: ${text}`, { cause: error });
  if (error instanceof LibvirtError) return wrap(CODES[error.code] ?? "failed");
  if (error instanceof ImageError) return wrap(error.code === "mismatch" ? "invalid" : error.code);
  return wrap("failed");
}
