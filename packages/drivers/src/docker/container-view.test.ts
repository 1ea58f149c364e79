import type { ContainerInspectInfo } from "dockerode";
import { expect, test } from "vitest";
import { labelsOf } from "./container-labels.ts";
import { instanceOf } from "./container-view.ts";
import { containerSpec } from "./specs.testing.ts";

const STATE = {
  Status: "running",
  OOMKilled: false,
  ExitCode: 0,
  Error: "",
  StartedAt: "2026-01-02T03:04:05.678901234Z",
};

function view(state: object, labels: object = labelsOf(containerSpec(7), "test")) {
  const networks = { none: { IPAddress: "" }, bridge: { IPAddress: "172.17.0.2" } };
  const container = {
    State: { ...STATE, ...state },
    Config: { Labels: labels },
    NetworkSettings: { Networks: networks },
  } as unknown as ContainerInspectInfo;
  return instanceOf(container, "test");
}

const health = (status: string, ...outputs: string[]) => ({
  Health: { Status: status, Log: outputs.map((Output) => ({ Output })) },
});

test("a running container is ready, with its start and its address", () => {
  expect(view({})).toMatchObject({
    name: "web-0007",
    incarnation: 1,
    state: "ready",
    startedAt: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    address: "172.17.0.2",
  });
});

test.each([
  [health("starting"), { state: "running", reason: undefined }],
  [health("healthy"), { state: "ready", reason: undefined }],
  [health("none"), { state: "ready", reason: undefined }],
  [health("unhealthy", "ok", "no answer\n"), { reason: "its health check fails: no answer" }],
  [health("unhealthy"), { state: "running", reason: "its health check fails" }],
  [{ Status: "paused" }, { state: "running", reason: "it is paused" }],
  [{ Status: "created" }, { state: "created", exit: undefined }],
  [{ Status: "exited" }, { state: "exited", exit: "success", reason: undefined }],
  [
    { Status: "exited", ExitCode: 3 },
    { exit: "failure", reason: "exit code 3" },
  ],
  [
    { Status: "exited", ExitCode: 137, OOMKilled: true },
    { exit: "failure", reason: "exit code 137: out of memory" },
  ],
  [{ Status: "dead" }, { state: "broken", reason: 'Docker calls it "dead"' }],
])("state %j is told as %j", (state, expected) => {
  expect(view(state)).toMatchObject(expected);
});

test("a container that was never started has no start", () => {
  const never = { Status: "created", StartedAt: "0001-01-01T00:00:00Z" };
  expect(view(never)).toMatchObject({ startedAt: undefined });
});

test("a container without EVM's labels is nobody's", () => {
  expect(view({}, { "evm.instance": "web-0007" })).toBeUndefined();
});
