/** One line of the programs' source, changed as they are loaded: a mistake that must show. */
import { registerHooks } from "node:module";

export type Mutation = {
  /** What is wrong then. */
  readonly name: string;
  /** The oracle that is to catch it. */
  readonly invariant: string;
  /** In which worlds it shows. */
  readonly scenario?: "small" | "row" | "loss" | "surge" | "replaced";
  /** A seed that catches it; others may as well. */
  readonly seed: number;
  readonly patches: readonly Patch[];
};

export type Patch = {
  /** Below `packages`. */
  readonly file: string;
  /** Occurs there exactly once. */
  readonly find: string;
  readonly replace: string;
};

/** Changes what is loaded from now on. */
export function applyMutation({ patches }: Mutation): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const own = patches.filter(({ file }) => url.endsWith(`/packages/${file}`));
      if (own.length === 0) return loaded;
      const source = own.reduce(patched, textOf(loaded.source));
      return { ...loaded, source };
    },
  });
}

/** @throws where what is to be replaced is not there exactly once: the mutation is out of date */
export function patched(source: string, { file, find, replace }: Patch): string {
  const count = source.split(find).length - 1;
  if (count !== 1) throw new Error(`${file}: ${count} occurrences of what is replaced: ${find}`);
  return source.replace(find, () => replace);
}

function textOf(source: unknown): string {
  if (typeof source === "string") return source;
  if (source instanceof Uint8Array) return new TextDecoder().decode(source);
  throw new Error("a module without source");
}
