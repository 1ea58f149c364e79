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
