import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { recordingTerminal } from "../../packages/cli/src/output/recording-terminal.testing.ts";
import { startCluster, startHost } from "../../packages/coordinator/test/cluster.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { evm } from "./evm.ts";

const web = (replicas: number, extra = "") => `
name: web
replicas: ${replicas}
container: {image: "web:1"}
resources: {vcpus: 0.1, memoryMib: 256}
${extra}`;

describe("apply", () => {
  test("declares, waits, shows; scale and delete follow", async () => {
    await using cluster = await startCluster();
    await using _host = await startHost(cluster, "h1");
    const server = cluster.address;

    const applied = await evm({ server, input: web(2) }, "apply", "-f", "-", "--wait");
    expect(applied).toMatchObject({
      code: 0,
      out: "FLEET  OUTCOME  REPLICAS\nweb    created         2\n\nweb 2/2 ready\n",
    });
    const again = await evm({ server, input: web(2) }, "apply", "-");
    expect(again.out).toContain("web    unchanged         2");
    const scaled = await evm({ server }, "scale", "web", "1", "--wait");
    expect(scaled).toMatchObject({ code: 0, out: "web 1/1 ready\n" });
    const shown = await evm({ server }, "ps", "web");
    expect(shown.out.split("\n").map((line) => line.split(/\s+/).slice(0, 4))).toEqual([
      ["INSTANCE", "KIND", "HOST", "PHASE"],
      ["web-0000", "container", "h1", "ready"],
      [""],
    ]);
    const deleted = await evm({ server }, "delete", "web", "--yes", "--wait");
    expect(deleted).toMatchObject({ code: 0, out: "web is being deleted\nweb gone\n" });
    expect((await evm({ server }, "fleets")).out).toMatch(/^No fleets/);
  });

  test("prints one JSON document, whether it waits or not", async () => {
    await using cluster = await startCluster();
    await using _host = await startHost(cluster, "h1");
    const server = cluster.address;
    const ran = await evm({ server, input: web(2) }, "apply", "-f", "-", "--wait", "--json");
    expect(JSON.parse(ran.out)).toMatchObject({
      fleets: [{ outcome: "APPLY_OUTCOME_CREATED", fleet: { spec: { name: "web" }, ready: 2 } }],
    });
  });

  test("shows every problem of every file, and changes nothing", async () => {
    await using cluster = await startCluster();
    await using folder = await temporaryDirectory("cli");
    const bad = join(folder.path, "a.yaml");
    await writeFile(bad, web(1).replace("replicas: 1", "replicas: many"));
    await writeFile(join(folder.path, "b.yml"), `${web(1)}\n---\nname: web2\n`);
    await writeFile(join(folder.path, "ignored.txt"), "not a fleet");
    const server = cluster.address;
    const ran = await evm({ server }, "apply", "-f", folder.path);
    expect(ran).toMatchObject({ code: 2, out: "" });
    expect(ran.err).toContain("; nothing was changed\n");
    expect(ran.err).toContain(`${bad}:3:11: replicas: "many"; expected a whole number`);
    expect(ran.err).toContain(`${join(folder.path, "b.yml")}:8:`);
    expect((await evm({ server }, "fleets")).out).toMatch(/^No fleets/);
  });

  test("of a file that is not there says so", async () => {
    await using cluster = await startCluster();
    const ran = await evm({ server: cluster.address }, "apply", "-f", "/nowhere/x.yaml");
    expect(ran.code).toBe(2);
    expect(ran.err).toContain("reading /nowhere/x.yaml: no such file or directory\n");
  });

  test("packs and stores the folder that a container is built from", async () => {
    await using cluster = await startCluster();
    await using folder = await temporaryDirectory("cli");
    await mkdir(join(folder.path, "site"));
    await writeFile(join(folder.path, "site", "Dockerfile"), "FROM scratch\n");
    const file = join(folder.path, "built.yaml");
    const built = "container: {build: ./site}";
    await writeFile(file, web(1).replace(/^container.*$/m, built));
    const server = cluster.address;
    const ran = await evm({ server }, "apply", "-f", file, "--json");
    const { fleets } = JSON.parse(ran.out);
    // What is over within a second is not worth a line.
    expect(ran.err).toBe("");
    const digest = fleets[0].fleet.spec.template.container.build.contextDigest;
    const blob = await cluster.store.coordinator("c1").getBlob(digest, AbortSignal.timeout(5_000));
    expect(blob).not.toBeUndefined();
    expect((await evm({ server }, "apply", file)).out).toContain("unchanged");
  });

  test("of a folder without its Dockerfile changes nothing", async () => {
    await using cluster = await startCluster();
    await using folder = await temporaryDirectory("cli");
    const file = join(folder.path, "built.yaml");
    await writeFile(file, web(1).replace(/^container.*$/m, "container: {build: .}"));
    const ran = await evm({ server: cluster.address }, "apply", "-f", file);
    expect(ran.code).toBe(2);
    expect(ran.err).toContain("there is no Dockerfile in it");
  });

  test("that waits ends as soon as an instance has failed, and names it", async () => {
    await using cluster = await startCluster();
    await using _host = await startHost(cluster, "h1", "failed");
    const ran = await evm(
      { server: cluster.address, input: web(2) },
      ...["apply", "-f", "-", "--wait"],
    );
    expect(ran.code).toBe(1);
    expect(ran.err).toContain("2 instances are not ready\n  web-0000: failed on h1");
  });

  test("that waits too long says what is not ready, and why", async () => {
    await using cluster = await startCluster();
    await using _host = await startHost(cluster, "h1");
    const big = web(2).replace("256", "999999");
    const ran = await evm(
      { server: cluster.address, input: big },
      ...["apply", "-f", "-", "--wait", "--timeout", "300ms"],
    );
    expect(ran.code).toBe(4);
    expect(ran.err).toMatch(/web-0000: pending: /);
    expect(ran.err).toContain("gave up after 0s: 2 instances are not ready");
  });
});

test("a plan says what would be, and changes nothing", async () => {
  await using cluster = await startCluster();
  await using _host = await startHost(cluster, "h1");
  const server = cluster.address;
  await evm({ server, input: web(1) }, "apply", "-f", "-", "--wait");
  const more = await evm({ server, input: web(2) }, "plan", "-f", "-");
  expect(more.code).toBe(0);
  expect(more.out).toMatch(/^\+ create web-0001 on h1: .*\n1 to create\.\n$/);
  const gone = await evm({ server }, "plan", "--delete", "web");
  expect(gone.out).toContain("web-0000 on h1");
  expect((await evm({ server }, "plan")).code).toBe(2);
  expect((await evm({ server }, "fleets")).out).toContain("1/1");
});

describe("delete", () => {
  test("asks on a terminal, and elsewhere wants --yes", async () => {
    await using cluster = await startCluster();
    const server = cluster.address;
    await evm({ server, input: web(0) }, "apply", "-f", "-");
    expect(await evm({ server }, "delete", "web")).toMatchObject({ code: 2, out: "" });

    const no = recordingTerminal({ isInputTty: true });
    no.type("n\n");
    const refused = await evm({ server, terminal: no }, "delete", "web");
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("  web: -\nDelete them? [y/N]");

    const yes = recordingTerminal({ isInputTty: true });
    yes.type("y\n");
    expect((await evm({ server, terminal: yes }, "delete", "web")).code).toBe(0);
  });

  test("of one that does not exist touches none of the others", async () => {
    await using cluster = await startCluster();
    const server = cluster.address;
    await evm({ server, input: web(0) }, "apply", "-f", "-");
    const ran = await evm({ server }, "delete", "web", "wbe", "--yes");
    expect(ran).toMatchObject({ code: 3, out: "" });
    expect((await evm({ server }, "fleets")).out).toContain("active");
  });
});
