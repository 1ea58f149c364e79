/** An operator's program: asks whichever coordinator answers, and writes down what it was told. */
import { credentials } from "@grpc/grpc-js";
import {
  ClusterService,
  FleetService,
  FleetState,
  type GetClusterStatusResponse,
  GrpcClient,
  InstanceService,
  OnHostLoss,
  OnIsolation,
  RestartMode,
  type RpcCode,
  RpcError,
  type Fleet as WireFleet,
  type Instance as WireInstance,
} from "../../../packages/protocol/src/index.ts";
import { GUEST_IMAGE, GUEST_MEMORY_MIB } from "../../support/guest.ts";
import type { CoordinatorNode } from "../../support/world/parts.ts";
import type { Operation, Outcome, Shown, Write } from "./history.ts";

/** A fleet of idle instances, by its policies. */
export type FleetPolicy = {
  readonly name: string;
  /** Default: container. */
  readonly kind?: "container" | "vm";
  /** When its host is lost; default: restart. */
  readonly onHostLoss?: "restart" | "wait";
  /** When its host is cut off; default: keep. */
  readonly onIsolation?: "keep" | "stop";
};

/** Longer than a store takes that is well; a person would ask somebody else after it, too. */
const CALL_DEADLINE_MS = 4_000;
/** For a call that looks for a coordinator itself: what `evm` gives it. */
const ANY_DEADLINE_MS = 15_000;
/** A coordinator tells its state from memory: one that is silent for so long has none to tell. */
const STATUS_DEADLINE_MS = 500;
/** In place of a coordinator's id: whichever serves. */
export const ANY = "any";
/** How long a write that must be is repeated. */
const PATIENCE_MS = 60_000;

/** Runs until it is asked to end, and ends at once then. Costs nothing meanwhile. */
const IDLE = 'trap "exit 0" TERM; while :; do sleep 3600 & wait $!; done';

const TEMPLATES = {
  container: {
    resources: { vcpuMillis: 50, memoryMib: 32, diskMib: 8 },
    kind: {
      case: "container" as const,
      value: {
        source: { case: "image" as const, value: "evm/busybox:1" },
        command: ["sh", "-c", IDLE],
      },
    },
  },
  vm: {
    resources: { vcpuMillis: 1000, memoryMib: GUEST_MEMORY_MIB, diskMib: 64 },
    kind: { case: "vm" as const, value: { image: GUEST_IMAGE } },
  },
};

/** Labels of a fleet are not part of its template: a new one replaces no instance. */
const TAG = "tag";

/**
 * Answers after which it is certain that nothing was written. That there is none of the name is not
 * one of them: to a call that is repeated it says that the first attempt has deleted it.
 */
const REFUSALS: ReadonlySet<RpcCode> = new Set([
  "invalidArgument",
  "failedPrecondition",
  "alreadyExists",
  "resourceExhausted",
  "aborted",
]);

type Link = { readonly id: string; readonly grpc: GrpcClient; readonly deadlineMs: number };
type Call<Answer> = (grpc: GrpcClient, options: CallOptions) => Promise<Answer>;
type CallOptions = { readonly signal: AbortSignal; readonly deadlineMs: number };

export class Client implements Disposable {
  /** All writes, in the order in which they ended. */
  readonly history: Operation[] = [];
  readonly #links: readonly Link[];
  readonly #any: Link;
  #turn = 0;
  #tags = 0;

  constructor(coordinators: readonly CoordinatorNode[]) {
    const to = (addresses: string) =>
      new GrpcClient({
        addresses,
        credentials: credentials.createInsecure(),
        random: Math.random,
      });
    this.#links = coordinators.map(({ id, api }) => {
      return { id, grpc: to(api), deadlineMs: CALL_DEADLINE_MS };
    });
    const addresses = coordinators.map(({ api }) => api).join();
    this.#any = { id: ANY, grpc: to(addresses), deadlineMs: ANY_DEADLINE_MS };
  }

  /** Throws unless it is acknowledged by somebody, in the end. */
  async declare(policy: FleetPolicy, replicas: number): Promise<void> {
    await this.#insist(() => this.apply(policy, replicas));
  }

  async resize(fleet: string, replicas: number): Promise<void> {
    await this.#insist(() => this.scale(fleet, replicas));
  }

  /** One attempt, by the coordinator whose turn it is, or the one that is named, or by `ANY`. */
  apply(policy: FleetPolicy, replicas: number, coordinator?: string): Promise<Operation> {
    const write: Write = { kind: "apply", replicas, tag: `t${++this.#tags}` };
    const fleets = [specOf(policy, write)];
    return this.#write(policy.name, write, coordinator, async (grpc, options) => {
      const answer = await grpc.unary(FleetService.method.applyFleets, { fleets }, options);
      return answer.fleets[0]?.fleet;
    });
  }

  scale(fleet: string, replicas: number, coordinator?: string): Promise<Operation> {
    const request = { name: fleet, replicas };
    return this.#write(fleet, { kind: "scale", replicas }, coordinator, async (grpc, options) => {
      return (await grpc.unary(FleetService.method.scaleFleet, request, options)).fleet;
    });
  }

  remove(fleet: string, coordinator?: string): Promise<Operation> {
    return this.#write(fleet, { kind: "delete" }, coordinator, async (grpc, options) => {
      const { deleteFleet } = FleetService.method;
      const answer = await grpc.unary(deleteFleet, { name: fleet }, options);
      return answer.fleet?.state === FleetState.DELETING ? answer.fleet : undefined;
    });
  }

  /** Every fleet, as whichever coordinator serves has it. */
  async fleets(): Promise<ReadonlyMap<string, Shown>> {
    const { grpc } = this.#any;
    const { fleets } = await grpc.unary(FleetService.method.listFleets, {}, optionsOf(this.#any));
    return new Map(fleets.map((fleet) => [fleet.spec?.name ?? "", shownOf(fleet)]));
  }

  /** As one coordinator has them. */
  async instances(fleet: string, coordinator: string): Promise<readonly WireInstance[]> {
    const link = this.#link(coordinator);
    const { listInstances } = InstanceService.method;
    return (await link.grpc.unary(listInstances, { fleet }, optionsOf(link))).instances;
  }

  /** By the coordinators that answer. */
  async statuses(): Promise<readonly GetClusterStatusResponse[]> {
    const answers = this.#links.map(({ grpc }) =>
      grpc
        .unary(ClusterService.method.getClusterStatus, {}, optionsOf(STATUS))
        .catch(() => undefined),
    );
    return (await Promise.all(answers)).filter((answer) => answer !== undefined);
  }

  [Symbol.dispose](): void {
    for (const { grpc } of [...this.#links, this.#any]) grpc[Symbol.dispose]();
  }

  async #write(
    fleet: string,
    write: Write,
    coordinator: string | undefined,
    call: Call<WireFleet | undefined>,
  ): Promise<Operation> {
    const link = this.#link(coordinator);
    const invokedAtMs = performance.now();
    const outcome = await call(link.grpc, optionsOf(link)).then(
      (answer): Outcome => ({ kind: "ok", ...ended(), shown: answer && shownOf(answer) }),
      failureOf,
    );
    const operation = { fleet, write, coordinator: link.id, invokedAtMs, outcome };
    this.history.push(operation);
    return operation;
  }

  async #insist(write: () => Promise<Operation>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const { outcome } = await write();
      if (outcome.kind === "ok") return;
      if (performance.now() > deadline) throw new Error(`${outcome.kind}: ${outcome.reason}`);
    }
  }

  #link(coordinator: string | undefined): Link {
    const named = [...this.#links, this.#any].find(({ id }) => id === coordinator);
    const link = named ?? this.#links[this.#turn++ % this.#links.length];
    if (link === undefined) throw new Error("there is no coordinator to ask");
    return link;
  }
}

const STATUS = { deadlineMs: STATUS_DEADLINE_MS };

const optionsOf = ({ deadlineMs }: Pick<Link, "deadlineMs">): CallOptions => ({
  signal: AbortSignal.timeout(deadlineMs),
  deadlineMs,
});

const ended = () => ({ endedAtMs: performance.now() });

function failureOf(error: unknown): Outcome {
  if (!(error instanceof RpcError)) throw error;
  const reason = `${error.code}: ${error.message}`;
  const isRefused = error.isAnswer && REFUSALS.has(error.code);
  return isRefused ? { kind: "refused", ...ended(), reason } : { kind: "unknown", reason };
}

function specOf(policy: FleetPolicy, { replicas, tag }: { replicas: number; tag: string }) {
  const { name, kind = "container", onHostLoss, onIsolation } = policy;
  return {
    name,
    replicas,
    labels: { [TAG]: tag },
    template: TEMPLATES[kind],
    // However often it is killed: that it gives up is tested elsewhere.
    restart: {
      mode: RestartMode.ALWAYS,
      maxRestarts: 1_000,
      windowMs: 600_000,
      backoffMs: 200,
      maxBackoffMs: 1_000,
    },
    onHostLoss: onHostLoss === "wait" ? OnHostLoss.WAIT : OnHostLoss.RESTART,
    onIsolation: onIsolation === "stop" ? OnIsolation.STOP : OnIsolation.KEEP,
  };
}

const shownOf = ({ spec, state, revision }: WireFleet): Shown => ({
  revision,
  replicas: spec?.replicas ?? 0,
  tag: spec?.labels[TAG] ?? "",
  isDeleting: state === FleetState.DELETING,
});
