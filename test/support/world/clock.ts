/**
 * A wall clock that a test can set, for one program: libfaketime reads its offset from a file. The
 * monotonic clock stays true, as it does on a machine whose date is set.
 */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";

/** Of Debian's package libfaketime; the variant for programs with threads. */
export const FAKETIME_LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

export class WallClock {
  readonly #file: string;

  private constructor(file: string) {
    this.#file = file;
  }

  static async make(file: string): Promise<WallClock> {
    if (!existsSync(FAKETIME_LIBRARY)) {
      throw new Error(`there is no ${FAKETIME_LIBRARY}; run scripts/setup`);
    }
    const clock = new WallClock(file);
    await clock.step(0);
    return clock;
  }

  /** What the program is to be started with. */
  get environment(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: FAKETIME_LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      // In seconds: so soon a step is seen, and so seldom the file is read.
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }

  /** @param seconds how far it is from the truth from now on */
  async step(seconds: number): Promise<void> {
    await writeFile(this.#file, `${seconds < 0 ? "" : "+"}${seconds}\n`);
  }
}
