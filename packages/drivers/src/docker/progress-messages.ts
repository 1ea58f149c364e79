/** What a pull or a build tells: a JSON object a line. Source: Docker Engine API, ImageCreate. */
import { fieldOf, textOf } from "./docker-error.ts";
import { jsonLines } from "./json-lines.ts";

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

/** @throws DriverError `failed` on what is no such message */
export async function* progressMessages(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<ProgressMessage> {
  for await (const line of jsonLines(pieces, "reading Docker's progress")) yield messageOf(line);
}

function messageOf(message: unknown): ProgressMessage {
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

function numberOf(value: unknown, name: string): number | undefined {
  const field = fieldOf(value, name);
  return typeof field === "number" ? field : undefined;
}
