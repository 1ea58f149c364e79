import { expect, test } from "vitest";
import { seedFiles } from "./seed.ts";

test("a seed says who the guest is and holds the user data as written", () => {
  const userData = "#cloud-config\npackages: [nginx]\n";
  const files = seedFiles({
    hostname: "school-linux-0042",
    instanceId: "school-linux-0042.3",
    userData,
    networkConfig: undefined,
  });
  expect(files).toEqual([
    {
      name: "meta-data",
      content: 'instance-id: "school-linux-0042.3"\nlocal-hostname: "school-linux-0042"\n',
    },
    { name: "user-data", content: userData },
  ]);
});

test("without user data the seed is complete, or cloud-init would not take it", () => {
  const identity = { hostname: "a-0001", instanceId: "a-0001.1" };
  const networkConfig = "version: 2\n";
  const files = seedFiles({ ...identity, userData: undefined, networkConfig });
  expect(files.map((file) => file.name)).toEqual(["meta-data", "user-data", "network-config"]);
  expect(files[1]?.content).toBe("#cloud-config\n");
});
