/**
 * Rebuilds the control state: asks every host for the orders that it goes by, lays them beside what
 * was kept (`rebuild` decides), and writes all of it under a new epoch that is above every one that
 * any host ever heard of. While it writes nobody leads for longer than it takes to notice; should
 * it be cut short, the hosts that it did not come to are estranged, and the next restore takes them
 * in.
 */
import { DEFAULT_POLICIES, ordersCodec, type Restored } from "@evm/codec";
import {
  type Applied,
  appliedBy,
  type ClusterExport,
  type HostName,
  type HostView,
  isHostName,
  nextEpochBase,
  type Orders,
  type RebuildInput,
  type Rebuilt,
  rebuild,
} from "@evm/fleet";
import { RpcError } from "@evm/protocol";
import {
  type ControlState,
  type CoordinatorStore,
  MAX_COMMIT_WRITES,
  StoreError,
  type Write,
} from "@evm/store";
import { errorText, withDeadline } from "@evm/telemetry";
import type { ApiContext } from "./api/context.ts";

/** A host that is there answers within milliseconds; 500 kB take a little longer. */
const ANSWER_TIMEOUT_MS = 5_000;
/** Each answer may take half a megabyte. */
const MAX_ASKED_AT_ONCE = 64;

export type RestoreOrder = {
  /** Undefined: fleets are rebuilt from the orders alone. */
  readonly kept: ClusterExport | undefined;
  /** Names of hosts that need not answer. */
  readonly without: readonly string[];
  /** Only says what would be written. */
  readonly isDryRun: boolean;
};

const NOTHING: ClusterExport = {
  exportedAt: 0,
  epoch: 0,
  revision: 0,
  fleets: [],
  images: [],
  hosts: [],
};

export async function restoreCluster(
  context: ApiContext,
  { kept = NOTHING, without, isDryRun }: RestoreOrder,
  signal: AbortSignal,
): Promise<Restored> {
  const { store, coordinator } = context;
  assertLost(context);
  const control = store.control();
  const { snapshot, memory } = coordinator.picture();
  const views = new Map<HostName, HostView>(snapshot.hosts.map((view) => [view.name, view]));
  const names = [...new Set([...views.keys(), ...kept.hosts.map(({ name }) => name)])].sort();
  const left = parseWithout(without, names);
  const asked = names.map((name) => ({ name, applied: appliedOf(views.get(name)) }));
  const { answers, failures } = await askAll(context, asked, signal);
  assertAnswered(failures, left);
  const silent = new Map(
    [...failures.keys()].map((name): [HostName, Applied] => [name, appliedOf(views.get(name))]),
  );
  const input: RebuildInput = {
    kept,
    stored: {
      fleets: snapshot.fleets,
      images: [...control.images.values()].map(({ value }) => value),
      hosts: [...control.hosts.values()].map(({ value }) => value),
      orders: [...control.orders.values()].map(({ value }) => value),
    },
    prefer: memory.kind === "lost" ? "kept" : "stored",
    answers,
    silent,
    defaults: DEFAULT_POLICIES,
  };
  const rebuilt = rebuild(input);
  const epochs = [...views.values()].map((view) => appliedBy(view).epoch);
  for (const orders of answers.values()) epochs.push(orders?.epoch ?? 0);
  const epochBase = baseAbove(Math.max(kept.epoch, control.epoch.epoch, ...epochs));
  if (!isDryRun) await write(context, { rebuilt, control, base: epochBase }, signal);
  const notes = rebuilt.notes.map(({ text }) => text);
  return { ...rebuilt.summary, notes, epochBase };
}

const appliedOf = (view: HostView | undefined): Applied =>
  view === undefined ? { epoch: 0, generation: 0 } : appliedBy(view);

/** A restore of what is not lost would undo what operators did since the export. */
function assertLost({ coordinator, store }: ApiContext): void {
  const { memory } = coordinator;
  const { fleets, images, orders } = store.control();
  const isIdle = [...orders.values()].every(({ value }) => value.instances.length === 0);
  const isEmpty = fleets.size + images.size === 0 && isIdle;
  if (isEmpty || memory.kind === "lost" || memory.estranged.size > 0) return;
  const text = "the control state knows what all hosts go by: there is nothing to restore";
  throw new RpcError("failedPrecondition", `restore: ${text}`);
}

function parseWithout(
  without: readonly string[],
  names: readonly HostName[],
): ReadonlySet<HostName> {
  return new Set(
    without.map((name) => {
      if (isHostName(name) && names.includes(name)) return name;
      const known = names.join(", ") || "none";
      throw new RpcError("invalidArgument", `without: "${name}"; expected one of ${known}`);
    }),
  );
}

/** A host, and what it is known to have applied. */
type Asked = { readonly name: HostName; readonly applied: Applied };

type Answers = {
  readonly answers: ReadonlyMap<HostName, Orders | undefined>;
  /** Why a host did not answer. */
  readonly failures: ReadonlyMap<HostName, string>;
};

async function askAll(
  { store, clock }: ApiContext,
  hosts: readonly Asked[],
  signal: AbortSignal,
): Promise<Answers> {
  const answers = new Map<HostName, Orders | undefined>();
  const failures = new Map<HostName, string>();
  const askOne = async ({ name, applied }: Asked): Promise<void> => {
    try {
      const doing = `asking ${name} for its orders`;
      const deadline = { clock, ms: ANSWER_TIMEOUT_MS, signal, doing };
      const answer = await withDeadline(deadline, (limited) => ask(store, name, limited));
      if ((answer?.generation ?? 0) < applied.generation) {
        const text = `${doing}: it has older ones than it goes by; do two machines bear its name?`;
        throw new StoreError("corrupt", text);
      }
      answers.set(name, answer);
    } catch (error) {
      signal.throwIfAborted();
      failures.set(name, errorText(error));
    }
  };
  for (let at = 0; at < hosts.length; at += MAX_ASKED_AT_ONCE) {
    await Promise.all(hosts.slice(at, at + MAX_ASKED_AT_ONCE).map(askOne));
  }
  return { answers, failures };
}

/** The orders that a host goes by; undefined where it was never ordered anything. */
async function ask(
  store: CoordinatorStore,
  name: HostName,
  signal: AbortSignal,
): Promise<Orders | undefined> {
  await using stream = await store.openVerb(name, "orders", new Uint8Array(), signal);
  const pieces: Uint8Array[] = [];
  for await (const piece of stream.incoming) pieces.push(piece);
  if (pieces.length === 0) return undefined;
  const orders = ordersCodec.decode(Buffer.concat(pieces));
  if (orders.host === name) return orders;
  throw new StoreError("corrupt", `orders of ${name}: it goes by those of ${orders.host}`);
}

function assertAnswered(
  failures: ReadonlyMap<HostName, string>,
  without: ReadonlySet<HostName>,
): void {
  const missing = [...failures].filter(([name]) => !without.has(name));
  if (missing.length === 0) return;
  const lines = missing.map(([name, reason]) => `  ${name}: ${reason}`);
  const flags = missing.map(([name]) => `--without ${name}`).join(" ");
  const text =
    `restore: ${missing.length} hosts do not answer; bring them back, or leave them out, and ` +
    `what runs there may be started elsewhere: ${flags}`;
  throw new RpcError("failedPrecondition", [text, ...lines].join("\n"));
}

function baseAbove(epoch: number): number {
  const base = nextEpochBase(epoch);
  if (base !== undefined) return base;
  throw new RpcError("failedPrecondition", `restore: there is no room above epoch ${epoch}`);
}

async function write(
  { store, coordinator, id }: ApiContext,
  { rebuilt, control, base }: { rebuilt: Rebuilt; control: ControlState; base: number },
  signal: AbortSignal,
): Promise<void> {
  let { epoch } = control.epoch;
  for (const batch of batchesOf(rebuilt, control)) {
    const outcome = await store.restore({ ...batch, epoch, base, by: id }, signal);
    if (outcome.kind === "rejected") {
      throw new RpcError("aborted", `restore: ${outcome.reason}; run it again`);
    }
    epoch = outcome.epoch;
    await store.caughtUp(outcome.revision, signal);
  }
  const { fleets, hosts } = rebuilt.summary;
  const text = `${fleets.length} fleets and the orders of ${hosts.length} hosts were rebuilt`;
  coordinator.announcer.say("warning", "ClusterRestored", text);
  for (const note of rebuilt.notes) {
    coordinator.announcer.say(note.severity, "ClusterRestored", note.text);
  }
}

type Batch = {
  readonly fleets: Write<Rebuilt["fleets"][number]>[];
  readonly images: Write<Rebuilt["images"][number]>[];
  readonly hosts: Write<Rebuilt["hosts"][number]>[];
  readonly orders: Write<Orders>[];
};

/** Fleets come first: instances of none would be stopped. One batch at least, for the epoch. */
function batchesOf(
  rebuilt: Rebuilt,
  { fleets, images, hosts, orders }: ControlState,
): readonly Batch[] {
  const batches: Batch[] = [];
  let room = 0;
  const next = (): Batch => {
    const last = batches.at(-1);
    if (last !== undefined && room > 0) {
      room -= 1;
      return last;
    }
    const batch: Batch = { fleets: [], images: [], hosts: [], orders: [] };
    batches.push(batch);
    room = MAX_COMMIT_WRITES - 1;
    return batch;
  };
  for (const value of rebuilt.fleets) {
    next().fleets.push({ value, expectedRevision: revision(fleets.get(value.spec.name)) });
  }
  for (const value of rebuilt.images) {
    next().images.push({ value, expectedRevision: revision(images.get(value.name)) });
  }
  for (const value of rebuilt.hosts) {
    next().hosts.push({ value, expectedRevision: revision(hosts.get(value.name)) });
  }
  for (const value of rebuilt.orders) {
    next().orders.push({ value, expectedRevision: revision(orders.get(value.host)) });
  }
  if (batches.length === 0) next();
  return batches;
}

const revision = (stored: { readonly revision: number } | undefined): number =>
  stored?.revision ?? 0;
