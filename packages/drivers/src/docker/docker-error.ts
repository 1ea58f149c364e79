/** Where Docker's errors become `DriverError`s: nothing else looks at their status and text. */
import { DriverError, type DriverErrorCode } from "../driver.ts";

/** A field of something that another program wrote. */
export const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;

/** A text field of something that another program wrote. */
export function textOf(value: unknown, name: string): string | undefined {
  const field = fieldOf(value, name);
  return typeof field === "string" && field !== "" ? field : undefined;
}

/** Handles a rejection whose HTTP status says that what was asked for is already so. */
export const alreadySo =
  (...statuses: readonly number[]) =>
  (error: unknown): void => {
    const status = fieldOf(error, "statusCode");
    if (!statuses.some((expected) => expected === status)) throw error;
  };

/** @param doing what was being done, for the message */
export function toDriverError(doing: string, error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  const text = messageOf(error);
  return new DriverError(codeOf(error, text), `${doing}: ${text}`, { cause: error });
}

/** The daemon's own words, without dockerode's frame around them. */
function messageOf(error: unknown): string {
  const text = textOf(error, "message") ?? String(error);
  return text.replace(/^\(HTTP code \d+\) [^-]*- /, "").trim();
}

/** What a message of the daemon means where no status tells; undefined where it is not known. */
export function codeOfText(text: string): DriverErrorCode | undefined {
  return TEXTS.find(({ pattern }) => pattern.test(text))?.code;
}

/**
 * Failures that Docker tells only by text, with status 500 or inside a progress stream. A port that
 * is taken is exhaustion: another instance may free it.
 */
const TEXTS: readonly { readonly pattern: RegExp; readonly code: DriverErrorCode }[] = [
  { pattern: /no space left on device|disk quota exceeded/i, code: "exhausted" },
  {
    pattern: /cannot allocate memory|port is already allocated|address already in use/i,
    code: "exhausted",
  },
  {
    pattern: /executable file not found|no such file or directory|permission denied/i,
    code: "invalid",
  },
  {
    pattern: /manifest .*(unknown|not found)|repository .* not found|access denied/i,
    code: "invalid",
  },
  {
    pattern:
      /dial tcp|connection (refused|reset)|i\/o timeout|TLS handshake|\bEOF$|context canceled/i,
    code: "unavailable",
  },
];

function codeOf(error: unknown, text: string): DriverErrorCode {
  switch (fieldOf(error, "statusCode")) {
    case undefined:
      // Not an answer of the daemon: the connection failed, or it broke off.
      return "unavailable";
    case 400:
      return "invalid";
    case 404:
      return "notFound";
    default:
      return codeOfText(text) ?? "failed";
  }
}
