/** What Docker shows of a container, in the driver's words. Pure. */
import type { Instant } from "@evm/fleet";
import type { ContainerInspectInfo } from "dockerode";
import type { DriverInstance } from "../driver.ts";
import { identityOf } from "./container-labels.ts";

type State = ContainerInspectInfo["State"];
type Shown = Pick<DriverInstance, "state" | "exit" | "reason">;

/** Longer output of a failing health check is cut: a reason is for reading. */
const MAX_REASON_LENGTH = 300;

/** What the init in the container, like any shell, tells by its exit code. */
const EXIT_CODES: ReadonlyMap<number, string> = new Map([
  [126, "the command cannot be executed"],
  [127, "no such command"],
]);

/** Undefined where the container is not the owner's. */
export function instanceOf(
  container: ContainerInspectInfo,
  owner: string,
): DriverInstance | undefined {
  const identity = identityOf(container.Config.Labels, owner);
  if (identity === undefined) return undefined;
  return {
    ...identity,
    ...shownOf(container.State),
    startedAt: startedAt(container.State),
    address: addressOf(container),
  };
}

function shownOf(state: State): Shown {
  switch (state.Status) {
    case "created":
      return { state: "created", exit: undefined, reason: undefined };
    case "running":
    case "paused":
    case "restarting":
      return runningOf(state);
    case "exited":
      return exitOf(state);
    default:
      return { state: "broken", exit: undefined, reason: `Docker calls it "${state.Status}"` };
  }
}

function runningOf(state: State): Shown {
  const running = { state: "running", exit: undefined } as const;
  if (state.Status !== "running") return { ...running, reason: `it is ${state.Status}` };
  switch (state.Health?.Status) {
    case "starting":
      return { ...running, reason: undefined };
    case "unhealthy": {
      const output = state.Health.Log.at(-1)?.Output.trim() ?? "";
      const reason = `its health check fails${output === "" ? "" : `: ${output}`}`;
      return { ...running, reason: reason.slice(0, MAX_REASON_LENGTH) };
    }
    default:
      return { state: "ready", exit: undefined, reason: undefined };
  }
}

function exitOf(state: State): Shown {
  const isSuccess = state.ExitCode === 0;
  if (isSuccess) return { state: "exited", exit: "success", reason: undefined };
  const detail = state.OOMKilled
    ? "out of memory"
    : (EXIT_CODES.get(state.ExitCode) ?? state.Error);
  const reason = `exit code ${state.ExitCode}${detail === "" ? "" : `: ${detail}`}`;
  return { state: "exited", exit: "failure", reason };
}

/** Docker writes the year 1 for "never". */
function startedAt(state: State): Instant | undefined {
  const instant = Date.parse(state.StartedAt);
  return instant > 0 ? instant : undefined;
}

function addressOf(container: ContainerInspectInfo): string | undefined {
  const networks = Object.values(container.NetworkSettings.Networks);
  return networks.map((network) => network.IPAddress).find((address) => address !== "");
}
