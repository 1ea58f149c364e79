const CODES = {
  /** The source, a pool or a tool does not answer; the same call may succeed later. */
  unavailable: { isTransient: true },
  /** The source says that there is no such file. */
  notFound: { isTransient: false },
  /** What arrived is not what the digest or the size promises. */
  mismatch: { isTransient: false },
  /** What was asked cannot be made: bad name or URL, an image that is not of its format. */
  invalid: { isTransient: false },
  /** No room on the pool. */
  exhausted: { isTransient: true },
  /** The signal fired or the deadline passed. */
  cancelled: { isTransient: true },
  /** Anything else that the file system or a tool said. */
  failed: { isTransient: false },
} as const;

export type ImageErrorCode = keyof typeof CODES;

/** Whatever goes wrong with images. */
export class ImageError extends Error {
  readonly code: ImageErrorCode;

  /** @param message "what I was doing: what went wrong" */
  constructor(code: ImageErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ImageError";
    this.code = code;
  }

  /** True where the same call may succeed later without anyone changing anything. */
  get isTransient(): boolean {
    return CODES[this.code].isTransient;
  }
}

const isErrno = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && "code" in error && typeof error.code === "string";

/** True where a file system call failed with this code. */
export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  isErrno(error) && codes.includes(error.code ?? "");

/** Converts what the file system, a tool or a signal threw, naming what was being done. */
export function toImageError(doing: string, error: unknown): ImageError {
  if (error instanceof ImageError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const wrap = (code: ImageErrorCode, what: string) =>
    new ImageError(code, `${doing}: ${what}`, { cause: error });
  if (hasCode(error, "ENOSPC", "EDQUOT")) return wrap("exhausted", "the disk is full");
  if (hasCode(error, "ABORT_ERR")) return wrap("cancelled", "cancelled");
  if (error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError")) {
    return wrap("cancelled", error.name === "TimeoutError" ? "took too long" : "cancelled");
  }
  return wrap("failed", text);
}
