import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "@evm/fleet";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../clock.testing.ts";
import { labelsOf } from "./container-labels.ts";
import { ContainerList } from "./container-list.ts";
import { DockerEngine } from "./docker-engine.ts";
import { containerSpec } from "./specs.testing.ts";

const signal = new AbortController().signal;

test("a call that is not answered ends at its deadline", async () => {
  const atOnce: Clock["after"] = (_ms, act) => systemClock.after(0, act);
  const clock: Clock = { ...systemClock, after: atOnce };
  const engine = await engineOver(() => {}, clock);
  const inspected = engine.inspect("web-0001.1", "inspecting", signal);
  await expect(inspected).rejects.toMatchObject({
    code: "cancelled",
    message: "inspecting: no answer within 60 s",
  });
});

test("a call that is not answered ends with its signal", async () => {
  const leaving = new AbortController();
  const engine = await engineOver(() => leaving.abort());
  const inspected = engine.inspect("web-0001.1", "inspecting", leaving.signal);
  await expect(inspected).rejects.toMatchObject({ code: "cancelled" });
});

test.each([
  [400, "bad parameter", "invalid"],
  [404, "no such thing", "notFound"],
  [409, "name in use", "failed"],
  [500, "write /x: no space left on device", "exhausted"],
  [500, "driver failed: Bind for 0.0.0.0:80 failed: port is already allocated", "exhausted"],
  [500, "Get https://r.example/v2/: dial tcp: lookup r.example: no such host", "unavailable"],
  [500, "something else", "failed"],
])("status %i with %j is told as %s, in the daemon's words", async (status, message, code) => {
  const engine = await engineOver((_request, response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify({ message }));
  });
  const started = engine.call("starting x", signal, (docker) => docker.getContainer("x").start());
  await expect(started).rejects.toMatchObject({ code, message: `starting x: ${message}` });
});

test("a stream that breaks off is an error, and what came before is kept", async () => {
  const engine = await engineOver((_request, response) => {
    response.write("some", () => response.destroy());
  });
  const seen: string[] = [];
  const reading = (async () => {
    const stream = engine.stream("pulling x", signal, (docker) => docker.pull("x"));
    for await (const piece of stream) seen.push(Buffer.from(piece).toString());
  })();
  await expect(reading).rejects.toMatchObject({ code: "unavailable" });
  expect(seen).toEqual(["some"]);
});

test("a daemon that is not there is unavailable", async () => {
  const engine = new DockerEngine({ socketPath: "/nonexistent/docker.sock", clock: systemClock });
  await expect(engine.inspect("x", "inspecting x", signal)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/^inspecting x: .*ENOENT/),
  });
});

test("a list inspects a container only when what it shows has changed", async () => {
  const shown = { state: "running", status: "Up 1 second", endpoint: "first" };
  const { list } = await listOf(shown);
  const read = async () => (await list.read(signal)).map(({ startedAt }) => startedAt);
  expect(await read()).toEqual([1000]);
  shown.status = "Up 2 seconds";
  expect(await read()).toEqual([1000]);
  shown.status = "Up 2 seconds (healthy)";
  expect(await read()).toEqual([2000]);
  shown.endpoint = "second";
  expect(await read()).toEqual([3000]);
  Object.assign(shown, { state: "exited", status: "Exited (0) 3 seconds ago", endpoint: "" });
  expect(await read()).toEqual([4000]);
  expect(await read()).toEqual([4000]);
  shown.status = "Exited (0) Less than a second ago";
  expect(await read()).toEqual([5000]);
});

test("one without a network is inspected after each start, or as its status changes", async () => {
  const shown = { state: "running", status: "Up 1 second", endpoint: "" };
  const { list, inspections } = await listOf(shown);
  const inspectedAt = async (status: string) => {
    shown.status = status;
    await list.read(signal);
    return inspections();
  };
  expect(await inspectedAt("Up 1 second")).toBe(1);
  expect(await inspectedAt("Up 2 seconds")).toBe(2);
  list.connected();
  expect(await inspectedAt("Up 2 seconds")).toBe(3);
  expect(await inspectedAt("Up 3 seconds")).toBe(3);
  list.changed("another");
  expect(await inspectedAt("Up 3 seconds")).toBe(3);
  list.changed("c1");
  expect(await inspectedAt("Up 3 seconds")).toBe(4);
  expect(await inspectedAt("Up 3 seconds (healthy)")).toBe(5);
  list.disconnected();
  expect(await inspectedAt("Up 3 seconds")).toBe(6);
  list.connected();
  expect(await inspectedAt("Up 3 seconds")).toBe(7);
});

test("one is inspected after an end that its list does not show, told of or not", async () => {
  const shown = { state: "running", status: "Up 1 second", endpoint: "first" };
  const { list, inspections } = await listOf(shown);
  const inspected = async () => {
    await list.read(signal);
    return inspections();
  };
  list.connected();
  expect(await inspected()).toBe(1);
  list.changed("c1");
  expect(await inspected()).toBe(2);
  list.disconnected();
  expect(await inspected()).toBe(2);
  list.connected();
  expect(await inspected()).toBe(3);
  expect(await inspected()).toBe(3);
});

test("a container that could not be inspected yet is listed once it can be", async () => {
  let isMade = false;
  const shown = { state: "created", status: "Created", endpoint: "" };
  const engine = await engineOver(({ url = "" }, response) => {
    const isList = url.startsWith("/containers/json");
    if (!isList && !isMade) response.statusCode = 404;
    response.end(JSON.stringify(isList ? [listed(shown)] : isMade ? inspected(1) : {}));
  });
  const list = new ContainerList(engine, "test");
  expect(await list.read(signal)).toEqual([]);
  isMade = true;
  expect(await list.read(signal)).toHaveLength(1);
});

type Shown = { state: string; status: string; endpoint: string };

/** A list of one container, and how often it was inspected. */
async function listOf(shown: Shown) {
  let count = 0;
  const engine = await engineOver(({ url = "" }, response) => {
    const isList = url.startsWith("/containers/json");
    if (!isList) count++;
    response.end(JSON.stringify(isList ? [listed(shown)] : inspected(count)));
  });
  return { list: new ContainerList(engine, "test"), inspections: () => count };
}

const listed = (shown: Shown) => ({
  Id: "c1",
  State: shown.state,
  Status: shown.status,
  NetworkSettings: { Networks: { bridge: { EndpointID: shown.endpoint } } },
});

const inspected = (second: number) => ({
  Id: "c1",
  Config: { Labels: labelsOf(containerSpec(1), "test") },
  State: { Status: "running", StartedAt: new Date(second * 1000).toISOString() },
  NetworkSettings: { Networks: {} },
});

/** An engine over a server that answers as it is told. */
async function engineOver(answer: RequestListener, clock: Clock = systemClock) {
  const directory = await mkdtemp(join(tmpdir(), "evm-engine-"));
  const socketPath = join(directory, "docker.sock");
  const server = createServer(answer).listen(socketPath);
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true });
  });
  return new DockerEngine({ socketPath, clock });
}
