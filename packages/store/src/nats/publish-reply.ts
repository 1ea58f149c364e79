/** What a stream answers to a message. */
import type { Msg } from "@nats-io/transport-node";
import { StoreError } from "../store.ts";

export type PublishReply =
  | { readonly kind: "stored"; readonly sequence: number }
  | { readonly kind: "refused"; readonly code: number; readonly text: string }
  /** Taken, as one of a batch that goes on. */
  | { readonly kind: "empty" };

export function parsePublishReply(doing: string, answer: Msg): PublishReply {
  if (answer.data.length === 0) return { kind: "empty" };
  const reply: unknown = parseJson(answer.string());
  if (isRecord(reply)) {
    const { error, seq } = reply;
    if (isRecord(error)) {
      const { err_code: code, description } = error;
      return {
        kind: "refused",
        code: typeof code === "number" ? code : 0,
        text: String(description),
      };
    }
    if (typeof seq === "number") return { kind: "stored", sequence: seq };
  }
  throw new StoreError("corrupt", `${doing}: not an answer of JetStream: ${answer.string()}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;
