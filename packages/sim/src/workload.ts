/** What operators do meanwhile, through whichever coordinator answers, and what they were told. */
import { templateDigest } from "@evm/codec";
import {
  type Digest,
  type FleetName,
  type FleetRecord,
  type FleetSpec,
  type HostRecord,
  type Image,
  type InstanceWish,
  isDigest,
  isFleetName,
  isImageName,
  isSame,
  NO_ROLLOUT,
  presentTemplate,
  resumed,
  rolledBack,
  type Template,
  type UpdatePolicy,
  updated,
  withRolloutState,
} from "@evm/fleet";
import type { WriteOutcome } from "@evm/store";
import type { CoordinatorLink } from "./coordinator-link.ts";
import type { Acknowledged, Acknowledgements } from "./oracles/acknowledged.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { World } from "./world.ts";

/** When the first fleet is declared, and how soon another follows. */
const DECLARE_FROM_MS = 2_000;
const DECLARE_GAP_MS = 300;
/** How many templates do not work. */
const FAILING_RATE = 0.2;
/** Such a share of a fleet may be replaced at once, in large fleets. */
const UPDATE_SHARE = 0.1;

export type WorkloadOptions = {
  readonly world: World;
  /** Takes down what was acknowledged. */
  readonly acknowledged: Acknowledgements;
  readonly random: SeededRandom;
  readonly fleets: number;
  /** Of all fleets together, about. */
  readonly instances: number;
  readonly pauseMs: readonly [least: number, most: number];
  /** Of one update. */
  readonly maxSurge: number;
  readonly maxBackoffMs: number;
};

/** A write on its way: how to read its key, and what to say of it. */
type Request = Omit<Acknowledged, "revision"> & {
  readonly write: () => Promise<WriteOutcome>;
};

export class Workload {
  readonly #options: WorkloadOptions;
  readonly #names: readonly FleetName[];
  #isOver = false;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    const names = Array.from({ length: options.fleets }, (_, at) => `f${at + 1}`);
    this.#names = names.filter(isFleetName);
  }

  /** Declares fleets, then keeps changing things until `end`. */
  begin(): void {
    const { timeline } = this.#options.world;
    this.#names.forEach((_, at) => {
      timeline.after(DECLARE_FROM_MS + at * DECLARE_GAP_MS, () => this.#change());
    });
    this.#goOn();
  }

  #goOn(): void {
    const { world, random, pauseMs } = this.#options;
    world.timeline.after(random.between(...pauseMs), () => {
      if (this.#isOver) return;
      this.#change();
      this.#goOn();
    });
  }

  end(): void {
    this.#isOver = true;
  }

  #change(): void {
    const { world, random } = this.#options;
    // Operators know, and coordinators refuse to write.
    if (world.controlTruth.isLost) return;
    const link = random.pick(world.nodes)?.life?.link;
    if (link === undefined) return;
    const request = random.chance(0.15) ? this.#changeHost(link) : this.#changeFleet(link);
    if (request !== undefined) this.#send(request);
  }

  #send(request: Request): void {
    const { world, acknowledged } = this.#options;
    const { trace, controlTruth } = world;
    const { write, ...rest } = request;
    const { what, value } = rest;
    const { losses } = controlTruth;
    if (rest.mayBeGone) acknowledged.yield(what);
    const yielded = acknowledged.yielded(what);
    trace.add(`operator writes ${what}: ${JSON.stringify(value, shortened)}`);
    write().then(
      (outcome) => {
        trace.add(`operator hears of ${what}: ${outcome.kind}`);
        if (outcome.kind === "conflict" || controlTruth.losses > losses) return;
        const mayBeGone = rest.mayBeGone || acknowledged.yielded(what) > yielded;
        acknowledged.add({ ...rest, revision: outcome.revision, mayBeGone });
      },
      (error: unknown) => trace.add(`operator hears of ${what}: ${String(error)}`),
    );
  }

  /** Opens a host that is closed, or drains or cordons one; or says that one is lost for good. */
  #changeHost(link: CoordinatorLink): Request | undefined {
    const { world, random } = this.#options;
    const known = link.control().hosts;
    const closed = [...known.values()].find(({ value }) => value.admin !== "active");
    const isConfirmed = random.chance(0.3);
    const name = isConfirmed ? undefined : closed?.value.name;
    const host = name ?? random.pick(world.hosts)?.name;
    if (host === undefined) return undefined;
    const before = known.get(host)?.value;
    const admin = random.chance(0.3) ? "cordoned" : "draining";
    const value: HostRecord = isConfirmed
      ? {
          name: host,
          admin: before?.admin ?? "active",
          confirmedLost: link.reports().get(host)?.reportedAt ?? 0,
        }
      : { name: host, admin: name === undefined ? admin : "active", confirmedLost: undefined };
    return {
      what: `host ${host}`,
      write: () => link.putHost(value, known.get(host)?.revision ?? 0, world.over),
      value,
      read: (control) => control.hosts.get(host),
      mayBeGone: false,
      isRestored: ({ hosts }, kept) =>
        (hosts.get(host)?.value.admin ?? "active") ===
        kept.hosts.find((one) => one.name === host)?.admin,
    };
  }

  #changeFleet(link: CoordinatorLink): Request | undefined {
    const { world, random } = this.#options;
    const { fleets } = link.control();
    const name = this.#names.find((one) => !fleets.has(one)) ?? random.pick(this.#names);
    if (name === undefined) return undefined;
    const before = fleets.get(name);
    const value = before === undefined ? this.#newFleet(name) : this.#changed(before.value);
    if (value === undefined) return undefined;
    return {
      what: `fleet ${name}`,
      write: () => link.putFleets([{ value, expectedRevision: before?.revision ?? 0 }], world.over),
      value,
      read: (control) => control.fleets.get(name),
      mayBeGone: value.state === "deleting",
      isRestored: ({ fleets }, kept) =>
        isKept(
          fleets.get(name)?.value.spec,
          kept.fleets.find(({ spec }) => spec.name === name),
        ),
    };
  }

  #newFleet(name: FleetName): FleetRecord {
    const { random, maxBackoffMs } = this.#options;
    const replicas = this.#replicas();
    return this.#record({
      name,
      replicas,
      labels: {},
      template: this.#template(),
      placement: {
        constraints: [],
        strategy: random.chance(0.5) ? "spread" : "pack",
        apartFrom: random.chance(0.1) ? [name] : [],
      },
      restart: {
        mode: "always",
        maxRestarts: 1_000,
        windowMs: 600_000,
        backoffMs: 500,
        maxBackoffMs,
      },
      update: this.#updatePolicy(replicas),
      onHostLoss: random.chance(0.7) ? "restart" : "wait",
      onIsolation: random.chance(0.5) ? "keep" : "stop",
    });
  }

  #updatePolicy(replicas: number): UpdatePolicy {
    const { random } = this.#options;
    const most = Math.max(2, replicas * UPDATE_SHARE);
    const maxSurge = Math.min(random.integer(0, most), this.#options.maxSurge);
    const maxUnavailable = random.integer(maxSurge === 0 ? 1 : 0, most);
    return {
      maxUnavailable,
      maxSurge,
      failureThreshold: Math.min(random.integer(1, 3), maxUnavailable + maxSurge),
      onFailure: random.chance(0.5) ? "pause" : "rollback",
    };
  }

  #changed(record: FleetRecord): FleetRecord | undefined {
    if (record.state === "deleting") return undefined;
    const { random } = this.#options;
    const { spec } = record;
    const kind = random.pick(["scale", "template", "template", "hold", "wish", "delete"] as const);
    switch (kind) {
      case "scale": {
        const replicas = this.#replicas();
        const wishes = record.wishes.filter((wish) => wish.index < replicas);
        return { ...record, spec: { ...spec, replicas }, wishes };
      }
      case "template":
        return this.#updated(record);
      case "hold":
        return this.#held(record);
      case "wish":
        return spec.replicas === 0 ? undefined : { ...record, wishes: this.#wishes(record) };
      case "delete":
        return { ...record, state: "deleting" };
      case undefined:
        return undefined;
    }
  }

  #replicas(): number {
    const { random, instances, fleets } = this.#options;
    return random.integer(0, (2 * instances) / fleets);
  }

  /** With another template, which may be one that does not work. */
  #updated(record: FleetRecord): FleetRecord {
    const { world, random } = this.#options;
    const next = this.#record({ ...record.spec, template: this.#template() });
    if (random.chance(FAILING_RATE)) world.failing.add(next.template);
    return updated(record, presentTemplate(next), []);
  }

  /** An update that is under way is paused or undone, one that is held goes on. */
  #held(record: FleetRecord): FleetRecord | undefined {
    const { random } = this.#options;
    const { state } = record.rollout;
    if (random.chance(0.3)) return rolledBack(record, "an operator asked for it", []);
    switch (state.kind) {
      case "done":
        return undefined;
      case "going":
        return withRolloutState(record, { kind: "paused", reason: "an operator asked for it" });
      case "paused":
      case "halted":
        return resumed(record, []);
    }
  }

  /** Stops, starts or restarts one instance. */
  #wishes({ spec, wishes }: FleetRecord): readonly InstanceWish[] {
    const { random } = this.#options;
    const index = random.integer(0, spec.replicas - 1);
    const before = wishes.find((wish) => wish.index === index);
    const minIncarnation = (before?.minIncarnation ?? 0) + (random.chance(0.3) ? 1 : 0);
    const isStopped = before?.isStopped !== true && random.chance(0.6);
    return [...wishes.filter((wish) => wish !== before), { index, isStopped, minIncarnation }].sort(
      (a, b) => a.index - b.index,
    );
  }

  #record(spec: FleetSpec): FleetRecord {
    const image = spec.template.kind === "vm" ? IMAGE : undefined;
    const template = templateDigest(spec.template, image);
    this.#options.world.resources.set(template, spec.template.resources);
    return { spec, image, template, state: "active", wishes: [], rollout: NO_ROLLOUT };
  }

  #template(): Template {
    const { random } = this.#options;
    const resources = {
      vcpuMillis: 1_000 * random.integer(1, 2),
      memoryMib: 256 * random.integer(1, 4),
      diskMib: 64,
    };
    const variety = random.integer(1, 1_000);
    if (random.chance(0.3)) {
      const readiness = random.chance(0.5) ? { text: "login:", timeoutMs: 60_000 } : undefined;
      const userData = `#cloud-config ${variety}`;
      return { kind: "vm", resources, image: IMAGE.name, userData, readiness };
    }
    const command = ["true"];
    const check = { command, intervalMs: 2_000, timeoutMs: 1_000, retries: 3, startPeriodMs: 0 };
    return {
      kind: "container",
      resources,
      source: { kind: "image", reference: `app:${variety}` },
      command: [],
      environment: {},
      ports: [],
      healthCheck: random.chance(0.5) ? check : undefined,
    };
  }
}

/** True of a fleet that is as it was kept, but for what orders may say otherwise. */
function isKept(spec: FleetSpec | undefined, kept: FleetRecord | undefined): boolean {
  if (spec === undefined || kept === undefined) return false;
  const { placement, update, onHostLoss } = kept.spec;
  return isSame(spec, { ...spec, placement, update, onHostLoss });
}

/** Traces stay readable: only what distinguishes a record. */
const SHOWN = new Set([
  ...["", "spec", "name", "replicas", "state", "wishes", "index", "isStopped", "minIncarnation"],
  ...["template", "admin", "onHostLoss", "onIsolation", "apartFrom", "placement", "kind"],
]);

function shortened(key: string, value: unknown): unknown {
  return SHOWN.has(key) || /^\d+$/.test(key) ? value : undefined;
}

const IMAGE = image();

function image(): Image {
  const digest: string = `sha256:${"d".repeat(64)}`;
  const name = "debian12";
  if (!isDigest(digest) || !isImageName(name)) throw new Error("a bad name");
  const disk = { url: "file:///debian12.qcow2", digest: digest satisfies Digest, sizeBytes: 1024 };
  return { name, osFamily: "linux", disk, diskFormat: "qcow2", boot: { kind: "disk" } };
}
