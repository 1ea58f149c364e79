import { PassThrough } from "node:stream";
import type { Terminal } from "./terminal.ts";

export type RecordingTerminal = Terminal & {
  readonly shown: { readonly out: string; readonly err: string };
  /** What `setRawMode` was called with. */
  readonly rawModes: readonly boolean[];
  /** Types, or pipes in. */
  type(text: string): void;
  /** The end of the input. */
  hangUp(): void;
};

/** A terminal that writes down what it is shown, and is typed on by the test. */
export function recordingTerminal(
  options: Partial<Pick<Terminal, "isErrTty" | "columns" | "hasColour" | "hasErrColour">> & {
    readonly isInputTty?: boolean;
    /** Sees all results so far, each time there are more. */
    readonly onOut?: (out: string) => void;
  } = {},
): RecordingTerminal {
  const { isInputTty = false, onOut, ...look } = options;
  const shown = { out: "", err: "" };
  const rawModes: boolean[] = [];
  const keys = new PassThrough();
  const out = (text: string): void => {
    shown.out += text;
    onOut?.(shown.out);
  };
  return {
    shown,
    rawModes,
    type: (text) => keys.write(text),
    hangUp: () => keys.end(),
    out,
    outBytes: async (data) => out(Buffer.from(data).toString()),
    err: (text) => {
      shown.err += text;
    },
    isOutTty: false,
    isErrTty: false,
    columns: 0,
    hasColour: false,
    hasErrColour: false,
    ...look,
    input: Object.assign(keys, {
      isTTY: isInputTty,
      setRawMode: (isRaw: boolean) => rawModes.push(isRaw),
    }),
  };
}
