import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A new, empty directory, removed with everything in it at the end of its scope. */
export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

/** Makes a directory of a test's own; `name` helps a person who finds one that was left behind. */
export async function temporaryDirectory(name = "test"): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), `evm-${name}-`));
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}
