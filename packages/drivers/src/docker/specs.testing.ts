/** Specs of containers for tests. */
import { type ContainerTemplate, instanceName, isDigest, isFleetName } from "@evm/fleet";
import { branded } from "../contract-suite.ts";
import type { InstanceSpec } from "../driver.ts";
import { BUSYBOX_IMAGE } from "./daemon.testing.ts";

const FLEET = branded("web", isFleetName);
const DIGEST = branded(`sha256:${"1".repeat(64)}`, isDigest);

/** The instance of fleet `web` with this index: a small busybox, except for what is given. */
export function containerSpec(
  index: number,
  template: Partial<ContainerTemplate> = {},
): InstanceSpec {
  return {
    name: instanceName(FLEET, index),
    incarnation: 1,
    fleet: FLEET,
    index,
    templateDigest: DIGEST,
    image: undefined,
    template: {
      kind: "container",
      resources: { vcpuMillis: 500, memoryMib: 32, diskMib: 0 },
      source: { kind: "image", reference: BUSYBOX_IMAGE },
      command: ["sleep", "10000"],
      environment: {},
      ports: [],
      healthCheck: undefined,
      ...template,
    },
  };
}
