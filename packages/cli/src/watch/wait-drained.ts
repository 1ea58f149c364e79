/** Waiting until nothing runs on hosts any more. */
import { ClusterService, Desired, type Instance, Phase, type Waiting } from "@evm/protocol";
import { type Context, callOptions } from "../context.ts";
import { countText, missingLines } from "./missing.ts";
import { instanceStates } from "./states.ts";
import { waitFor } from "./wait-for.ts";

type DrainState = {
  /** What runs on the hosts still, or is ordered to. */
  readonly left: readonly Instance[];
  readonly waiting: readonly Waiting[];
};

/** More lines of what waits are not read. */
const MAX_WAITING_SHOWN = 8;

export async function waitUntilEmpty(
  context: Context,
  hosts: readonly string[],
  timeoutMs: number,
): Promise<void> {
  let total = 0;
  await waitFor<DrainState>(context, {
    watch: (signal) => drainStates(context, new Set(hosts), signal),
    isDone: ({ left }) => left.length === 0,
    progress: (state) => {
      total = Math.max(total, state.left.length);
      return progressText(state, total);
    },
    timeoutMs,
    missing: async ({ left }) =>
      [`${countText(left.length)} left`, ...(await missingLines(context, left))].join("\n"),
  });
}

async function* drainStates(
  context: Context,
  hosts: ReadonlySet<string>,
  signal: AbortSignal,
): AsyncGenerator<DrainState> {
  const method = ClusterService.method.getClusterStatus;
  for await (const instances of instanceStates(context, "", signal)) {
    const left = instances.filter((one) => hosts.has(one.host) && isThere(one));
    const { waiting } = await context.client.unary(method, {}, callOptions(context));
    yield { left, waiting };
  }
}

/** `moved 3 of 12`, then a line for each that waits, with its reason. */
function progressText({ left, waiting }: DrainState, total: number): string {
  const names = new Set(left.map(({ name }) => name));
  const lines = waiting
    .filter(({ instance }) => names.has(instance))
    .map(({ instance, reason }) => `  ${instance} ${reason}`);
  const more = lines.length - MAX_WAITING_SHOWN;
  return [
    `moved ${total - left.length} of ${total}`,
    ...lines.slice(0, MAX_WAITING_SHOWN),
    ...(more > 0 ? [`  and ${more} more wait`] : []),
  ].join("\n");
}

const ALIVE: readonly Phase[] = [
  Phase.PREPARING,
  Phase.STARTING,
  Phase.RUNNING,
  Phase.READY,
  Phase.STOPPING,
];

/** Whether it runs, or is ordered to. */
const isThere = ({ phase, desired }: Instance): boolean =>
  desired === Desired.RUN || ALIVE.includes(phase);
