/**
 * `control` kept warm from its stream.
 *
 *  C1 What one batch wrote becomes visible together: its messages are held until the last one.
 *     Where that was overwritten before it was read, the write that did so comes later and ends the
 *     wait, since the messages of a batch follow each other in the stream.
 *  C2 Every value is decoded once. One that cannot be is reported with its key, and the key keeps
 *     the value and revision that it had, so that nobody writes over what cannot be read.
 */
import {
  epochHolderCodec,
  fleetRecordCodec,
  hostRecordCodec,
  imageCodec,
  ordersCodec,
} from "@evm/codec";
import { isFleetName, isHostName, isImageName } from "@evm/fleet";
import { CONTROL_BUCKET, type ControlKey, keySubject, parseControlKey } from "@evm/protocol";
import type { JsMsg } from "@nats-io/jetstream";
import { ControlCache, type Table } from "../control-cache.ts";
import { type ControlState, StoreError } from "../store.ts";
import { Wakeups } from "../wakeups.ts";
import { toStoreError } from "./errors.ts";

const KEY_PREFIX = keySubject(CONTROL_BUCKET, "");

/** One write, as far as this needs it. */
export type ControlMessage = Pick<JsMsg, "subject" | "seq" | "data" | "headers">;

export class ControlReader {
  readonly changes = new Wakeups();
  readonly #cache = new ControlCache();
  readonly #onError: (error: StoreError) => void;
  /** Of a batch whose end has not come yet. At most one batch: 1,000 (JetStream's limit). */
  #held: (() => void)[] = [];

  constructor(onError: (error: StoreError) => void) {
    this.#onError = onError;
  }

  state(): ControlState {
    return this.#cache.state();
  }

  get revision(): number {
    return this.#cache.revision;
  }

  /** What a write that expects `table` not to hold `key` must name to the server (S3). */
  get cache(): ControlCache {
    return this.#cache;
  }

  receive(message: ControlMessage): void {
    const { seq, headers } = message;
    if (seq <= this.#cache.revision) return;
    try {
      this.#held.push(this.#change(message));
    } catch (error) {
      const key = message.subject.slice(KEY_PREFIX.length);
      this.#onError(toStoreError(`reading ${CONTROL_BUCKET} key ${key} at revision ${seq}`, error));
    }
    const isHeld = headers?.has("Nats-Batch-Id") === true && !headers.has("Nats-Batch-Commit");
    if (isHeld) return;
    for (const change of this.#held) change();
    this.#held = [];
    this.#cache.revision = seq;
    this.changes.wakeAll();
  }

  #change(message: ControlMessage): () => void {
    const { subject, seq, data, headers } = message;
    const key = parseControlKey(subject.slice(KEY_PREFIX.length));
    if (key === undefined) throw new StoreError("corrupt", `${subject}: an unknown key`);
    const isRemoved = headers?.get("KV-Operation") === "DEL";
    const cache = this.#cache;
    switch (key.kind) {
      case "commit":
      case "look":
        return () => {};
      case "epoch": {
        const { leader, base } = epochHolderCodec.decode(data);
        return () => {
          cache.epoch = { epoch: base + seq, base, leader };
        };
      }
      case "fleet": {
        const name = parseName(key, isFleetName);
        if (isRemoved) return () => cache.fleets.remove(name, seq);
        const value = fleetRecordCodec.decode(data);
        return put(cache.fleets, name, value.spec.name, value, seq);
      }
      case "image": {
        const name = parseName(key, isImageName);
        if (isRemoved) return () => cache.images.remove(name, seq);
        const value = imageCodec.decode(data);
        return put(cache.images, name, value.name, value, seq);
      }
      case "host": {
        const value = hostRecordCodec.decode(data);
        return put(cache.hosts, parseName(key, isHostName), value.name, value, seq);
      }
      case "orders": {
        const value = ordersCodec.decode(data);
        return put(cache.orders, parseName(key, isHostName), value.host, value, seq);
      }
    }
  }
}

type NamedKey = Extract<ControlKey, { readonly name: string }>;

function parseName<Name extends string>(
  { kind, name }: NamedKey,
  isName: (text: string) => text is Name,
): Name {
  if (!isName(name)) throw new StoreError("corrupt", `${kind} "${name}": not a name`);
  return name;
}

function put<Key extends string, Value>(
  table: Table<Key, Value>,
  key: Key,
  name: Key,
  value: Value,
  revision: number,
): () => void {
  if (key !== name) throw new StoreError("corrupt", `key of ${key}: holds ${name}`);
  return () => table.put(key, value, revision);
}
