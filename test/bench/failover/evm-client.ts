/** An operator of EVM for the bench: one client with the addresses of all coordinators. */
import { credentials } from "@grpc/grpc-js";
import {
  ClusterService,
  type Fleet,
  FleetService,
  GrpcClient,
  HostService,
  type Instance,
  InstanceService,
  RestartMode,
} from "../../../packages/protocol/src/index.ts";
import { eventually } from "../../support/eventually.ts";
import { IDLE, LIMITS, LOOK_INTERVAL_MS, PATIENCE_MS } from "./model.ts";

const CALL_DEADLINE_MS = 30_000;

export type IdleFleet = {
  readonly name: string;
  readonly replicas: number;
  /** How many may be replaced or moved at once. */
  readonly atOnce: number;
  /** A new one replaces every instance. */
  readonly version?: number;
};

export class EvmClient implements Disposable {
  readonly #grpc: GrpcClient;

  constructor(addresses: readonly string[]) {
    this.#grpc = new GrpcClient({
      addresses: addresses.join(","),
      credentials: credentials.createInsecure(),
      random: Math.random,
    });
  }

  async apply(fleet: IdleFleet): Promise<void> {
    const request = { fleets: [specOf(fleet)] };
    await this.#grpc.unary(FleetService.method.applyFleets, request, options());
  }

  async drain(name: string): Promise<void> {
    await this.#grpc.unary(HostService.method.drainHost, { name }, options());
  }

  async undrain(name: string): Promise<void> {
    await this.#grpc.unary(HostService.method.undrainHost, { name }, options());
  }

  async leader(): Promise<string> {
    return (await this.#grpc.unary(ClusterService.method.getClusterStatus, {}, options())).leader;
  }

  async hostsUp(): Promise<number> {
    return (await this.#grpc.unary(ClusterService.method.getClusterStatus, {}, options())).hostsUp;
  }

  /** Waits until every instance is ready, and of the newest template. */
  async ready(name: string): Promise<void> {
    const isReady = ({ spec, ready, outdated }: Fleet): boolean =>
      ready === spec?.replicas && outdated === 0;
    await this.#until(`${name} is ready`, async () => {
      const method = FleetService.method.getFleet;
      const { fleet } = await this.#grpc.unary(method, { name }, options());
      return fleet !== undefined && isReady(fleet);
    });
  }

  /** Waits until the instance has been given a host. */
  async placed(name: string): Promise<void> {
    await this.#until(`${name} is placed`, async () => (await this.#instance(name))?.host !== "");
  }

  [Symbol.dispose](): void {
    this.#grpc[Symbol.dispose]();
  }

  async #instance(name: string): Promise<Instance | undefined> {
    const method = InstanceService.method.getInstance;
    return (await this.#grpc.unary(method, { name }, options())).instance;
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    await eventually(what, async () => ((await isSo()) ? true : undefined), {
      patienceMs: PATIENCE_MS,
      intervalMs: LOOK_INTERVAL_MS,
    });
  }
}

const options = () => ({
  signal: new AbortController().signal,
  deadlineMs: CALL_DEADLINE_MS,
});

const specOf = ({ name, replicas, atOnce, version = 0 }: IdleFleet) => ({
  name,
  replicas,
  template: {
    resources: { vcpuMillis: LIMITS.vcpuMillis, memoryMib: LIMITS.memoryMib, diskMib: 1 },
    kind: {
      case: "container" as const,
      value: {
        source: { case: "image" as const, value: "evm/busybox:1" },
        command: ["sh", "-c", IDLE],
        environment: { VERSION: String(version) },
      },
    },
  },
  restart: {
    mode: RestartMode.ALWAYS,
    maxRestarts: 1_000,
    windowMs: 1_000,
    backoffMs: 100,
    maxBackoffMs: 1_000,
  },
  update: { maxUnavailable: atOnce },
});
