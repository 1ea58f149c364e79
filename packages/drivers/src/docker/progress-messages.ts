/** What a pull or a build tells: a JSON object a line. Source: Docker Engine API, ImageCreate. */
import { DriverError } from "../driver.ts";
import { fieldOf, textOf } from "./docker-error.ts";

export type ProgressMessage = {
  /** The layer it is about. */
  readonly id: string | undefined;
  readonly status: string | undefined;
  readonly doneBytes: number | undefined;
  readonly totalBytes: number | undefined;
  /** Output of a build. */
  readonly output: string | undefined;
  readonly error: string | undefined;
};

/** Docker's lines are under 1 kB; a build step may print a longer one, without end at the worst. */
const MAX_LINE_LENGTH = 1024 * 1024;

/** @throws DriverError `failed` on what is no such message */
export async function* progressMessages(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<ProgressMessage> {
  const decoder = new TextDecoder();
  let buffered = "";
  for await (const piece of pieces) {
    buffered += decoder.decode(piece, { stream: true });
    const lines = buffered.split("\n");
    buffered = lines.pop() ?? "";
    if (buffered.length > MAX_LINE_LENGTH) {
      throw new DriverError("failed", "reading Docker's progress: a line without end");
    }
    for (const line of lines) if (line.trim() !== "") yield parse(line);
  }
  if (buffered.trim() !== "") yield parse(buffered);
}

function parse(line: string): ProgressMessage {
  const message = parseJson(line);
  const detail = fieldOf(message, "progressDetail");
  return {
    id: textOf(message, "id"),
    status: textOf(message, "status"),
    doneBytes: numberOf(detail, "current"),
    totalBytes: numberOf(detail, "total"),
    output: textOf(message, "stream"),
    error: textOf(fieldOf(message, "errorDetail"), "message") ?? textOf(message, "error"),
  };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    const text = "reading Docker's progress: not JSON";
    throw new DriverError("failed", text, { cause: error });
  }
}

function numberOf(value: unknown, name: string): number | undefined {
  const field = fieldOf(value, name);
  return typeof field === "number" ? field : undefined;
}
