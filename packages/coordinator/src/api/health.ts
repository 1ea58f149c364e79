/** grpc.health.v1: this coordinator serves while it has its store. */
import type { DescService } from "@bufbuild/protobuf";
import {
  type Handlers,
  type Health,
  type HealthCheckRequest,
  RpcError,
  HealthCheckResponse_ServingStatus as Status,
} from "@evm/protocol";
import type { ApiContext } from "./context.ts";

/** How often a watch looks for a change. */
const LOOK_INTERVAL_MS = 500;

export function healthHandlers(
  { store, clock }: ApiContext,
  services: readonly DescService[],
): Handlers<typeof Health> {
  const known = new Set(["", ...services.map((service) => service.typeName)]);
  const current = () => (store.isConnected ? Status.SERVING : Status.NOT_SERVING);
  return {
    async check({ service }: HealthCheckRequest) {
      if (known.has(service)) return { status: current() };
      throw new RpcError("notFound", `health: no service "${service}" here`);
    },
    async list() {
      return {
        statuses: Object.fromEntries([...known].map((name) => [name, { status: current() }])),
      };
    },
    async *watch({ service }: HealthCheckRequest, { signal }) {
      let last: Status | undefined;
      while (!signal.aborted) {
        const status = known.has(service) ? current() : Status.SERVICE_UNKNOWN;
        if (status !== last) yield { status };
        last = status;
        await clock.sleep(LOOK_INTERVAL_MS, signal);
      }
    },
  };
}
