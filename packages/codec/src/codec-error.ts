/** One thing that is wrong with a value from outside. */
export type Problem = {
  /** Path of the field: `placement.constraints[0].in`. Empty for the whole. */
  readonly field: string;
  /** What is there; undefined where nothing is. */
  readonly value: unknown;
  /** What was expected instead, as a noun phrase: "a whole number from 0 to 100000". */
  readonly expected: string;
};

const CODES = {
  /** Fields hold what they must not; `problems` has all of them. */
  invalid: { isTransient: false },
  /** Bytes that are not the message that they should be. */
  undecodable: { isTransient: false },
  /** A build context that cannot be read. */
  unreadable: { isTransient: false },
  /** A build context above its limit. */
  tooLarge: { isTransient: false },
} as const;

export type CodecErrorCode = keyof typeof CODES;

/** What is thrown for content that cannot be accepted. */
export class CodecError extends Error {
  readonly code: CodecErrorCode;
  /** All of them at once; empty unless the code is `invalid`. */
  readonly problems: readonly Problem[];

  /** @param message "what I was doing: what went wrong" */
  constructor(
    code: CodecErrorCode,
    message: string,
    options: { cause?: unknown; problems?: readonly Problem[] } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : {});
    this.name = "CodecError";
    this.code = code;
    this.problems = options.problems ?? [];
  }

  get isTransient(): boolean {
    return CODES[this.code].isTransient;
  }
}

/** Values above this are cut in messages: a message is for reading. */
const MAX_SHOWN_LENGTH = 80;

/** The problem as one line: `replicas: "four"; expected a whole number from 0 to 100000`. */
export function describeProblem({ field, value, expected }: Problem): string {
  const what = value === undefined ? "nothing" : shown(value);
  return `${field === "" ? "" : `${field}: `}${what}; expected ${expected}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_key, part) =>
    typeof part === "bigint" ? String(part) : part,
  );
  const whole = text ?? String(value);
  return whole.length > MAX_SHOWN_LENGTH ? `${whole.slice(0, MAX_SHOWN_LENGTH)}…` : whole;
}
