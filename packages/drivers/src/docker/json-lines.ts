/** What Docker streams: a JSON object a line. */
import { DriverError } from "../driver.ts";

/** Docker's lines are under 1 kB; a build step may print a longer one, without end at the worst. */
const MAX_LINE_LENGTH = 1024 * 1024;

/** @throws DriverError `failed` on what is not JSON */
export async function* jsonLines(
  pieces: AsyncIterable<Uint8Array>,
  doing: string,
): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let buffered = "";
  for await (const piece of pieces) {
    buffered += decoder.decode(piece, { stream: true });
    const lines = buffered.split("\n");
    buffered = lines.pop() ?? "";
    if (buffered.length > MAX_LINE_LENGTH) {
      throw new DriverError("failed", `${doing}: a line without end`);
    }
    for (const line of lines) if (line.trim() !== "") yield parse(line, doing);
  }
  if (buffered.trim() !== "") yield parse(buffered, doing);
}

function parse(line: string, doing: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new DriverError("failed", `${doing}: not JSON`, { cause: error });
  }
}
