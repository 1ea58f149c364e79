/** The full set of what one host shall run: written by the leading coordinator only. */
import type { AgentId, Digest, FleetName, HostName, InstanceName } from "./ids.ts";
import type { Image } from "./image.ts";
import type { FleetSpec, Template } from "./spec.ts";

/** A template with everything an agent needs to act on it, named once per document. */
export type OrderedTemplate = {
  /** Over the template and the image; what instances refer to. */
  readonly digest: Digest;
  readonly template: Template;
  /** Present for VMs: the image as it was in the catalog when the fleet was applied. */
  readonly image: Image | undefined;
};

/** The policies of a fleet that its agents carry out; changing them replaces no instance. */
export type OrderedFleet = Pick<FleetSpec, "name" | "restart" | "onIsolation">;

export type OrderedInstance = {
  readonly name: InstanceName;
  readonly fleet: FleetName;
  /** Position in its fleet, from 0. */
  readonly index: number;
  /** Counts from 1 how often the instance was started afresh; ordered on one host only (I1). */
  readonly incarnation: number;
  /** Digest of an `OrderedTemplate` in the same document. */
  readonly template: Digest;
  /**
   * `run` keeps it alive; `stop` ends it and keeps its disk; `discard` ends it and removes its
   * disk: the only way in which data is ever destroyed (I4). What orders do not name is treated as
   * `stop`. A `discard` may still be listed when it is done: see `forget`.
   */
  readonly desired: "run" | "stop" | "discard";
};

export type Orders = {
  readonly host: HostName;
  /**
   * Whom they are for: another machine that bears the host's name leaves them alone. Undefined
   * where a restore did not learn it.
   */
  readonly agent: AgentId | undefined;
  /** Which leader wrote them. */
  readonly epoch: number;
  /**
   * Grows by one with every rewrite of this document, across epochs. 0 where a restore did not
   * learn what the host goes by, in place of what may be older: no orders at all.
   */
  readonly generation: number;
  readonly templates: readonly OrderedTemplate[];
  readonly fleets: readonly OrderedFleet[];
  /** Sorted by name, then incarnation. */
  readonly instances: readonly OrderedInstance[];
};
