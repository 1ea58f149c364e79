/** Follows a stream from its present content on, for as long as it takes. */
import { setTimeout as delay } from "node:timers/promises";
import { type ConsumerMessages, DeliverPolicy, type JsMsg, jetstream } from "@nats-io/jetstream";
import type { StoreError } from "../store.ts";
import { toStoreError } from "./errors.ts";
import { type Link, REQUEST_DEADLINE_MS } from "./link.ts";

/** Twice without one and the consumer is made anew: soon enough to be current after a failover. */
export const IDLE_HEARTBEAT_MS = 1_000;
const PULL_EXPIRES_MS = 5_000;
/** Under way at once: whole documents of up to 500 kB. */
const MAX_PULLED_MESSAGES = 100;
/** After a consumer that could not be made or has ended. */
const RESTART_PAUSE_MS = 250;
/**
 * What is kept comes at once. Where it does not, the first pull was lost: right after a consumer is
 * made, its server may not have told the others yet that it listens.
 */
export const FIRST_MESSAGE_MS = 1_000;

export type FollowOptions = {
  readonly stream: string;
  /** `last`: the newest message of every subject, then what comes; `all`: every message. */
  readonly from: "last" | "all";
  /** In the stream's order; may see a message again. Must not throw. */
  readonly receive: (message: JsMsg) => void;
  readonly onError: (error: StoreError) => void;
};

/** Runs until the signal fires. Never rejects: what goes wrong is reported and tried again. */
export async function follow(
  link: Link,
  options: FollowOptions,
  signal: AbortSignal,
): Promise<void> {
  const { stream, onError } = options;
  while (!signal.aborted) {
    try {
      await followOnce(link, options, signal);
    } catch (error) {
      // While cut off this is expected; `isConnected` tells.
      if (link.isConnected && !signal.aborted) onError(toStoreError(`following ${stream}`, error));
    }
    await delay(RESTART_PAUSE_MS, undefined, { signal }).catch(() => {
      // Aborted: the loop ends.
    });
  }
}

async function followOnce(
  link: Link,
  { stream, from, receive }: FollowOptions,
  signal: AbortSignal,
): Promise<void> {
  const isEmpty = await untilLed(link, stream, signal);
  const client = jetstream(link.nats, { timeout: REQUEST_DEADLINE_MS });
  const consumer = await client.consumers.get(stream, {
    deliver_policy: from === "last" ? DeliverPolicy.LastPerSubject : DeliverPolicy.All,
  });
  const messages = await consumer.consume({
    max_messages: MAX_PULLED_MESSAGES,
    expires: PULL_EXPIRES_MS,
    idle_heartbeat: IDLE_HEARTBEAT_MS,
  });
  const over = new AbortController();
  const stop = () => messages.stop();
  signal.addEventListener("abort", stop, { signal: over.signal });
  link.onReconnect(stop, over.signal);
  // Ends with the messages; not waited for, since it does not where they had ended before.
  void stopOnSilence(messages);
  const silence = isEmpty ? undefined : setTimeout(stop, FIRST_MESSAGE_MS);
  try {
    if (signal.aborted) return;
    for await (const message of messages) {
      clearTimeout(silence);
      receive(message);
    }
  } finally {
    clearTimeout(silence);
    over.abort();
    stop();
  }
}

/**
 * A consumer is made by the leaders of the cluster and of the stream. Without them nobody answers,
 * and it cannot be asked for twice: each time might make one.
 *
 * @returns true where the stream is empty
 */
async function untilLed(link: Link, stream: string, signal: AbortSignal): Promise<boolean> {
  const doing = `looking for the leader of ${stream}`;
  const [{ state }] = await link.ask(doing, signal, (manager) =>
    Promise.all([manager.streams.info(stream), manager.getAccountInfo()]),
  );
  return state.messages === 0;
}

/**
 * A consumer lives on one server only. Where that is gone, nats.js (3.4.0) waits for it for as long
 * as the cluster knows of it. Its own watch for heartbeats tells, and we make another consumer.
 */
async function stopOnSilence(messages: ConsumerMessages): Promise<void> {
  for await (const { type } of messages.status()) {
    if (type === "heartbeats_missed") messages.stop();
  }
}

/** The sequence of the newest message that is kept, by the stream's leader; 0 where none is. */
export async function newestSequence(
  link: Link,
  stream: string,
  signal: AbortSignal,
): Promise<number> {
  const doing = `asking for the newest message of ${stream}`;
  const { state } = await link.ask(doing, signal, ({ streams }) => streams.info(stream));
  return state.messages === 0 ? 0 : state.last_seq;
}
