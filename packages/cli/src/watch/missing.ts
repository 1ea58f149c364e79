/** Instances that are not as they shall be, said to whoever waits for them. */
import { ClusterService, type Instance } from "@evm/protocol";
import { type Context, callOptions } from "../context.ts";
import { phaseText } from "../output/format.ts";

/** More lines are not read; `evm ps` shows all. */
const MAX_SHOWN = 20;

/** A line for each, with what it waits for: `  web-0001: pending: no host admits it`. */
export async function missingLines(
  context: Context,
  instances: readonly Instance[],
): Promise<readonly string[]> {
  const { waiting } = await context.client.unary(
    ClusterService.method.getClusterStatus,
    {},
    callOptions(context),
  );
  const waits = new Map(waiting.map(({ instance, reason }) => [instance, reason]));
  const lines = instances.slice(0, MAX_SHOWN).map(({ name, phase, host, reason }) => {
    const where = host === "" ? "" : ` on ${host}`;
    const why = reason || waits.get(name) || "";
    return `  ${name}: ${phaseText(phase)}${where}${why === "" ? "" : `: ${why}`}`;
  });
  const more = instances.length - lines.length;
  return more > 0 ? [...lines, `  and ${more} more: evm ps`] : lines;
}

export const countText = (count: number): string =>
  count === 1 ? "1 instance is" : `${count} instances are`;
