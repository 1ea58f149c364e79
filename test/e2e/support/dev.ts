import { EVM, Evm } from "./evm.ts";
import type { Footprint } from "./footprint.ts";
import { Program } from "./program.ts";

/** `evm dev --ephemeral`. Disposing of it ends it, and with it all that it runs. */
export class Dev implements AsyncDisposable {
  readonly program: Program;
  readonly evm: Evm;
  /** Its throw-away data; the pool lies in it. */
  readonly folder: string;
  /** Where metrics are served, as URLs. */
  readonly telemetry: readonly string[];

  private constructor(program: Program, evm: Evm, folder: string, telemetry: readonly string[]) {
    this.program = program;
    this.evm = evm;
    this.folder = folder;
    this.telemetry = telemetry;
  }

  static async start(footprint: Footprint): Promise<Dev> {
    const program = new Program({
      command: process.execPath,
      arguments: [EVM, "dev", "--ephemeral", "--port", "0", "--verbose"],
      environment: { TMPDIR: footprint.folder, EVM_AGENT_HOST: footprint.name },
    });
    try {
      const [, api = "", folder = ""] = await program.said(/^EVM is up\. +API (\S+) +data (\S+)/);
      const [, coordinator] = await program.said(/^coordinator: serving .*metrics=(\d+)/);
      const [, agent] = await program.said(/^agent: serving metrics .*port=(\d+)/);
      const telemetry = [coordinator, agent].map((port) => `http://127.0.0.1:${port}`);
      return new Dev(program, new Evm(api), folder, telemetry);
    } catch (error) {
      await program.end();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.end();
  }
}
