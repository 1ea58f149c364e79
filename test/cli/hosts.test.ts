/** What operators do to hosts. */
import { describe, expect, test } from "vitest";
import { startCluster, startHost } from "../../packages/coordinator/test/cluster.ts";
import { evm } from "./evm.ts";

const stateOf = (out: string, host: string): string | undefined =>
  out
    .split("\n")
    .find((line) => line.startsWith(`${host} `))
    ?.split(/ {2,}/)[1];

describe("cordon", () => {
  test("is shown, and taken back by undrain or uncordon", async () => {
    await using cluster = await startCluster();
    await using _h1 = await startHost(cluster, "h1");
    await using _h2 = await startHost(cluster, "h2");
    const server = cluster.address;
    expect(await evm({ server }, "cordon", "h1")).toMatchObject({
      code: 0,
      out: "h1 is cordoned\n",
    });
    expect(stateOf((await evm({ server }, "hosts")).out, "h1")).toBe("up, cordoned");
    expect((await evm({ server }, "status")).out).toContain("hosts        2 up, 1 cordoned\n");
    expect((await evm({ server }, "uncordon", "h1")).out).toBe("h1 is in service\n");
    expect(stateOf((await evm({ server }, "hosts")).out, "h1")).toBe("up");
    expect((await evm({ server }, "cordon", "h3")).code).toBe(3);
  });
});

test("hosts are confirmed to be lost only by their number, and only those that are silent", async () => {
  await using cluster = await startCluster();
  await using _h1 = await startHost(cluster, "h1");
  const server = cluster.address;
  const none = await evm({ server }, "hosts", "confirm-lost", "--all-silent", "--confirm", "3");
  expect(none).toMatchObject({ code: 0, out: "no host is silent\n" });
  const up = await evm({ server }, "hosts", "confirm-lost", "h1", "--confirm", "1");
  expect(up).toMatchObject({
    code: 1,
    err: 'error: host "h1": is heard of, and so not lost\n',
  });
  expect((await evm({ server }, "hosts", "confirm-lost")).code).toBe(2);
  expect((await evm({ server }, "hosts", "confirm-lost", "h1", "--confirm", "x")).code).toBe(2);
});
