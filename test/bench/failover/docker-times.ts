/** When containers end and start, as a Docker daemon tells it. */
import { Program } from "../../e2e/support/program.ts";
import { eventually } from "../../support/eventually.ts";

const LOOK_INTERVAL_MS = 50;

export class DockerTimes implements AsyncDisposable {
  readonly #events: Program;

  /** @param filters as `docker events` takes them */
  constructor(host: string, ...filters: readonly string[]) {
    this.#events = new Program({
      command: "docker",
      arguments: [
        // From now on, however long it takes until it is heard.
        ...["--host", host, "events", "--since", String(Date.now() / 1_000)],
        ...["--filter", "event=die", "--filter", "event=start"],
        ...["--format", "{{.Action}} {{.TimeNano}}", ...filters],
      ],
    });
  }

  /** Waits for an end and a start after it; returns when both were, in milliseconds since 1970. */
  async next(): Promise<{ readonly diedMs: number; readonly startedMs: number }> {
    return await eventually("a container ends, and one starts", () => this.#take(), {
      intervalMs: LOOK_INTERVAL_MS,
      state: () => this.#events.lines,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#events[Symbol.asyncDispose]();
  }

  #take() {
    const { lines } = this.#events;
    const died = lines.findIndex((line) => line.startsWith("die "));
    const started = lines.findIndex((line, at) => at > died && line.startsWith("start "));
    if (died < 0 || started < 0) return undefined;
    const times = { diedMs: timeOf(lines[died]), startedMs: timeOf(lines[started]) };
    lines.splice(0, started + 1);
    return times;
  }
}

const timeOf = (line = ""): number => Number(BigInt(line.split(" ")[1] ?? "0") / 1_000n) / 1_000;
