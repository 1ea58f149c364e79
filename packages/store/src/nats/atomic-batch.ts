/**
 * Atomic batches (ADR-50 of NATS), published by hand: the client's own `Batch` (nats.js 3.4.0)
 * drops each message's expectations, so that a batch with a wrong revision would be stored.
 *
 * Measured on nats-server 2.15.1, alone and in a cluster of three:
 *  - A message carries one expectation, about its own subject or about another one. A commit needs
 *    both the fence and revisions; hence its first message goes to a key of its own (`COMMIT_KEY`)
 *    and expects the epoch key's revision, and the others expect revisions of their own keys.
 *  - All expectations are checked when the last message arrives. One that fails refuses the whole
 *    with 10071, or with 10164 where another write to that subject is under way or the same
 *    subject comes twice.
 *  - The first and the last message are answered; a batch of one is answered once.
 *  - Message 1,001 refuses the batch with 10199. A batch without its last message leaves nothing.
 */
import { headers, type MsgHdrs, nuid } from "@nats-io/transport-node";
import { StoreError } from "../store.ts";
import { throwIfAborted } from "../wakeups.ts";
import { API_CODES, apiStoreError } from "./errors.ts";
import type { Link } from "./link.ts";
import { type PublishReply, parsePublishReply } from "./publish-reply.ts";

/** JetStream's own limit. */
export const MAX_BATCH_MESSAGES = 1_000;

/** So much is handed to the connection before it is written out: memory is bounded. */
const FLUSH_BYTES = 4 * 1024 * 1024;

export type BatchMessage = {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** Stored only if this is the sequence of the newest message of `of`; 0: if there is none. */
  readonly expected: { readonly sequence: number; readonly of: string };
  /** Marks the removal of a key. */
  readonly isRemoval: boolean;
};

export type BatchOutcome =
  /** The sequence of the last message; the others have the ones before it. */
  | { readonly kind: "stored"; readonly sequence: number }
  /** An expectation was wrong; nothing was stored. */
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Stores all messages or none.
 *
 * @throws StoreError unavailable where the end was not heard of: all or none may have been stored
 */
export async function publishBatch(
  link: Link,
  doing: string,
  messages: readonly BatchMessage[],
  signal: AbortSignal,
): Promise<BatchOutcome> {
  if (messages.length > MAX_BATCH_MESSAGES) {
    const text = `${doing}: ${messages.length} messages in one batch, JetStream takes`;
    throw new StoreError("tooLarge", `${text} ${MAX_BATCH_MESSAGES}`);
  }
  const id = nuid.next();
  let unflushedBytes = 0;
  for (const [index, message] of messages.entries()) {
    const isLast = index === messages.length - 1;
    const header = batchHeaders(id, index + 1, isLast, message);
    const { subject, payload } = message;
    if (index === 0 || isLast) {
      const answer = await link.requestOfStream(doing, subject, payload, signal, header);
      const reply = parsePublishReply(doing, answer);
      const outcome = isLast ? toOutcome(doing, reply) : refusal(doing, reply);
      if (outcome !== undefined) return outcome;
      continue;
    }
    throwIfAborted(signal, doing);
    link.nats.publish(subject, payload, { headers: header });
    unflushedBytes += payload.length;
    if (unflushedBytes > FLUSH_BYTES) {
      await link.bounded(doing, signal, () => link.nats.flush());
      unflushedBytes = 0;
    }
  }
  throw new StoreError("failed", `${doing}: a batch without messages`);
}

function batchHeaders(
  id: string,
  sequence: number,
  isLast: boolean,
  { subject, expected, isRemoval }: BatchMessage,
): MsgHdrs {
  const header = headers();
  header.set("Nats-Batch-Id", id);
  header.set("Nats-Batch-Sequence", String(sequence));
  if (isLast) header.set("Nats-Batch-Commit", "1");
  header.set("Nats-Expected-Last-Subject-Sequence", String(expected.sequence));
  if (expected.of !== subject) {
    header.set("Nats-Expected-Last-Subject-Sequence-Subject", expected.of);
  }
  if (isRemoval) header.set("KV-Operation", "DEL");
  return header;
}

/** What the answer to the first message says: nothing, or that the batch is refused. */
function refusal(doing: string, reply: PublishReply): BatchOutcome | undefined {
  if (reply.kind === "empty") return undefined;
  if (reply.kind === "refused") return toOutcome(doing, reply);
  const text = `${doing}: the server stored the first message of an atomic batch by itself`;
  throw new StoreError("unsuitable", text);
}

function toOutcome(doing: string, reply: PublishReply): BatchOutcome {
  switch (reply.kind) {
    case "stored":
      return reply;
    case "empty":
      throw new StoreError("unsuitable", `${doing}: the end of the batch was not confirmed`);
    case "refused":
      if (
        reply.code === API_CODES.wrongLastSequence ||
        reply.code === API_CODES.wrongLastSequenceUnknown
      ) {
        return { kind: "refused", reason: reply.text };
      }
      throw apiStoreError(doing, reply.code, reply.text);
  }
}
