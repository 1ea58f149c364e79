/** A fake terminal: it shows what is typed. */
import { PassThrough } from "node:stream";
import type { ConsoleSession } from "../driver.ts";

export class FakeConsole implements ConsoleSession {
  readonly output = new PassThrough();

  constructor(signal: AbortSignal) {
    signal.addEventListener("abort", () => this.output.end(), { once: true });
  }

  async write(input: Uint8Array): Promise<void> {
    this.output.write(input);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.output.end();
  }
}
