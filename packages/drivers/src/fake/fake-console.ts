/** A fake terminal: it shows what is typed. */
import { PassThrough } from "node:stream";
import { type ConsoleSession, DriverError } from "../driver.ts";

export class FakeConsole implements ConsoleSession {
  readonly output = new PassThrough();

  /** @param signal ends it, as does the end of the instance */
  constructor(signal: AbortSignal) {
    signal.addEventListener("abort", () => this.output.end(), { once: true });
  }

  async write(input: Uint8Array): Promise<void> {
    if (this.output.writableEnded) {
      throw new DriverError("unavailable", "writing to a console: it has ended");
    }
    this.output.write(input);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.output.end();
  }
}
