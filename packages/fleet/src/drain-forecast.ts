/** What draining hosts would come to: the forecast, of what concerns these hosts alone. */
import { type Forecast, forecast } from "./forecast.ts";
import type { FleetName, HostName } from "./ids.ts";
import type { Action, Note } from "./plan.ts";
import { nameSome } from "./rule.ts";
import type { FleetRecord, Snapshot } from "./snapshot.ts";

/**
 * Actions in the order in which they would begin, what would have nowhere to go, and notes on what
 * slows it down and what stays.
 *
 * @param snapshot with the hosts draining already
 */
export function drainForecast(snapshot: Snapshot, drained: ReadonlySet<HostName>): Forecast {
  const whole = forecast(snapshot);
  const running = new Set(
    snapshot.hosts
      .flatMap(({ name, orders }) =>
        drained.has(name)
          ? (orders?.instances ?? []).filter(({ desired }) => desired === "run")
          : [],
      )
      .map(({ name }) => name),
  );
  const actions = whole.actions.filter((action) => drained.has(action.from ?? action.host));
  const waiting = whole.waiting.filter(({ instance }) => running.has(instance));
  const accounted = new Set([...actions, ...waiting].map(({ instance }) => instance));
  const staying = [...running].filter((name) => !accounted.has(name));
  const notes = [...paceNotes(snapshot.fleets, actions), ...stayNotes(staying)];
  return { actions, waiting, notes };
}

function paceNotes(fleets: readonly FleetRecord[], actions: readonly Action[]): readonly Note[] {
  const counts = new Map<FleetName, number>();
  for (const { fleet } of actions) counts.set(fleet, (counts.get(fleet) ?? 0) + 1);
  return fleets.flatMap(({ spec: { name, update } }): readonly Note[] => {
    const count = counts.get(name) ?? 0;
    const { maxUnavailable } = update;
    if (count <= maxUnavailable) return [];
    const text = `fleet ${name}: ${count} go, at most ${maxUnavailable} at a time (maxUnavailable)`;
    return [{ severity: "info", text }];
  });
}

/** What has failed, or done what it was for, is not moved. */
function stayNotes(staying: readonly string[]): readonly Note[] {
  if (staying.length === 0) return [];
  const text = `these have ended, and stay to be looked at: ${nameSome(staying)}`;
  return [{ severity: "info", text }];
}
