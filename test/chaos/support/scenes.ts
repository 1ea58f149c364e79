/** What things break on. */
import type { Scene } from "./chaos.ts";

export const RACK: Scene = {
  hosts: 4,
  hasVms: false,
  fleets: [
    { name: "web", size: 4 },
    { name: "exam", onIsolation: "stop", size: 4 },
    { name: "data", onHostLoss: "wait", size: 4 },
  ],
};

/** Few guests: each costs five seconds of a CPU to boot where the machine has no KVM. */
export const VM_RACK: Scene = {
  hosts: 3,
  hasVms: true,
  fleets: [
    { name: "web", size: 3 },
    { name: "lab", kind: "vm", onIsolation: "stop", size: 2 },
    { name: "desk", kind: "vm", onHostLoss: "wait", size: 2 },
  ],
};
