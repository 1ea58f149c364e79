/** Everything the coordinator decides on, as one immutable value. */
import type { Brake } from "./brake.ts";
import type { AppliedBy, HostAdmin } from "./control.ts";
import type { AgentId, Digest, HostName } from "./ids.ts";
import type { Image } from "./image.ts";
import type { Orders } from "./orders.ts";
import type { Report } from "./report.ts";
import type { Rollout } from "./rollout.ts";
import type { FleetSpec } from "./spec.ts";

/** What an operator asked of one instance, beyond its fleet's spec. */
export type InstanceWish = {
  readonly index: number;
  readonly isStopped: boolean;
  /** Incarnations below this are to be replaced on the same host: how a restart is asked for. */
  readonly minIncarnation: number;
};

export type FleetRecord = {
  readonly spec: FleetSpec;
  /** Present for VMs: resolved from the catalog when the fleet was applied. */
  readonly image: Image | undefined;
  /** Over template and image; instances of another digest are replaced. */
  readonly template: Digest;
  /** `deleting` fleets are stopped and discarded, then forgotten. */
  readonly state: "active" | "deleting";
  /** Sorted by index; only instances with a wish are listed. */
  readonly wishes: readonly InstanceWish[];
  readonly rollout: Rollout;
};

/** A host as the coordinator sees it. */
export type HostView = {
  readonly name: HostName;
  readonly admin: HostAdmin;
  /**
   * `lost` after a full lease plus margin without a heartbeat; `unknown` until first heard;
   * `silent` where it is overdue, and so are too many others: see `brake`.
   */
  readonly liveness: "up" | "unknown" | "silent" | "lost";
  readonly report: Report | undefined;
  /** What its last heartbeat said, as heard by whoever takes the snapshot. */
  readonly heartbeat: AppliedBy | undefined;
  readonly orders: Orders | undefined;
  /** Another machine that bears the host's name, heard and refused: see `addressee`. */
  readonly rival: AgentId | undefined;
  /**
   * That one, where the host would be lost but for it: it is given what was ordered, as it stands,
   * and nothing of that begins elsewhere. The host is `unknown` until it is heard as the host.
   */
  readonly successor: AgentId | undefined;
};

/** How far a host's capacity may be promised, per resource, as a factor ≥ 1. */
export type Overcommit = {
  readonly vcpu: number;
  readonly memory: number;
  readonly disk: number;
};

export type Snapshot = {
  /** The epoch that the deciding coordinator holds. */
  readonly epoch: number;
  /** Above every epoch before the last restore; 0 where there was none. */
  readonly epochBase: number;
  readonly overcommit: Overcommit;
  /** Of all instances that were given up, so great a share may be on its way out at once. */
  readonly waveShare: number;
  /** Present while too many hosts are silent at once for any of them to be called lost. */
  readonly brake: Brake | undefined;
  /** Sorted by name. */
  readonly fleets: readonly FleetRecord[];
  /** Sorted by name. */
  readonly hosts: readonly HostView[];
};
