/** Every name that EVM uses in NATS. Nothing else in the code spells one. */

/** Key-value bucket: epoch, fleets, images, hosts' admin state, orders. Written by coordinators. */
export const CONTROL_BUCKET = "control";
/** Key-value bucket: one report per host, under the host's name. Written by that host. */
export const REPORTS_BUCKET = "reports";
/** Object store: build contexts by digest. */
export const BLOBS_BUCKET = "blobs";
/** Stream of events, limited by age and size. */
export const EVENTS_STREAM = "events";
/** What the events stream listens to. */
export const EVENT_SUBJECTS = "events.>";

/** The key in `control` whose revision is the epoch. */
export const EPOCH_KEY = "epoch";
/** The key in `control` that every commit writes first, fenced by the epoch key. Holds nothing. */
export const COMMIT_KEY = "commit";
/** The key in `control` that is written to learn how far `control` goes. Holds nothing. */
export const LOOK_KEY = "look";
export const fleetKey = (fleet: string): string => `fleets.${token(fleet)}`;
/** Image names may hold dots, which separate the tokens of a key, and never hold `_`. */
export const imageKey = (image: string): string => `images.${token(image.replaceAll(".", "_"))}`;
export const hostKey = (host: string): string => `hosts.${token(host)}`;
export const ordersKey = (host: string): string => `orders.${token(host)}`;
/** In `reports`. */
export const reportKey = (host: string): string => token(host);

/** What a key in `control` is about. */
export type ControlKey =
  | { readonly kind: "epoch" }
  | { readonly kind: "commit" }
  | { readonly kind: "look" }
  | { readonly kind: "fleet" | "image" | "host" | "orders"; readonly name: string };

const KINDS = { fleets: "fleet", images: "image", hosts: "host", orders: "orders" } as const;

/** Undefined for a key that this version does not know. */
export function parseControlKey(key: string): ControlKey | undefined {
  if (key === EPOCH_KEY) return { kind: "epoch" };
  if (key === COMMIT_KEY) return { kind: "commit" };
  if (key === LOOK_KEY) return { kind: "look" };
  const [prefix, name, ...rest] = key.split(".");
  if (prefix === undefined || name === undefined || rest.length > 0) return undefined;
  if (!isPrefix(prefix)) return undefined;
  const kind = KINDS[prefix];
  return { kind, name: kind === "image" ? name.replaceAll("_", ".") : name };
}

const isPrefix = (text: string): text is keyof typeof KINDS => Object.hasOwn(KINDS, text);

/** The subject under which a bucket keeps a key: what fences and republishing refer to. */
export const keySubject = (bucket: string, key: string): string => `$KV.${bucket}.${key}`;

/** Orders are republished on core NATS, so that hosts hear of them without a consumer each. */
export const ORDERS_REPUBLISH = {
  source: keySubject(CONTROL_BUCKET, "orders.*"),
  destination: "orders.{{wildcard(1)}}",
} as const;
export const ordersSubject = (host: string): string => `orders.${token(host)}`;

export const heartbeatSubject = (host: string): string => `heartbeat.${token(host)}`;
/** Heartbeats of all hosts. */
export const HEARTBEAT_SUBJECTS = "heartbeat.*";
/** The leader's sign of life to the other coordinators. */
export const COORDINATOR_PING_SUBJECT = "coordinators.ping";
/** Where a host is asked for what is not state. */
export const hostVerbSubject = (host: string, verb: string): string =>
  `host.${token(host)}.${token(verb)}`;

/**
 * One direction of an open verb, seen from the host. Under the host's own name, and not an inbox,
 * so that a host needs to write to no other's.
 */
export const verbStreamSubject = (host: string, id: string, direction: "in" | "out"): string =>
  `stream.${token(host)}.${token(id)}.${direction}`;

/** @param source `coordinator/<id>` or `host/<name>`; each appends under a subject of its own */
export const eventSubject = (source: string): string =>
  `events.${source.split("/").map(token).join(".")}`;

const TOKEN = /^[A-Za-z0-9_-]+$/;

/** Names are parsed at the edge; this catches the programmer, not the operator. */
function token(text: string): string {
  if (!TOKEN.test(text)) throw new RangeError(`NATS name: "${text}" is not one token`);
  return text;
}
