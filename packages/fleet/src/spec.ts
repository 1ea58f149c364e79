/** What an operator declares. Everything here is content: equal specs mean equal fleets. */
import type { Digest, FleetName, ImageName } from "./ids.ts";

/** Free-form key and value pairs, as on hosts and fleets. */
export type Labels = { readonly [key: string]: string };

/** What one instance may use. Whole numbers, so that sums are exact. */
export type Resources = {
  /** Thousandths of a virtual CPU; a multiple of 1000 for VMs. */
  readonly vcpuMillis: number;
  readonly memoryMib: number;
  readonly diskMib: number;
};

/** Which hosts qualify, by one of their labels. `in` and `notIn` compare with `values`. */
export type Constraint = {
  readonly label: string;
  readonly operator: "in" | "notIn" | "exists" | "notExists";
  readonly values: readonly string[];
};

export type Placement = {
  readonly constraints: readonly Constraint[];
  /** `spread` levels the load over hosts; `pack` fills one host before the next. */
  readonly strategy: "spread" | "pack";
  /** Fleets whose instances must not share a host with this one's; its own name is allowed. */
  readonly apartFrom: readonly FleetName[];
};

/** When and how fast an agent restarts an instance that ended. */
export type RestartPolicy = {
  readonly mode: "always" | "on-failure" | "never";
  /** More restarts than this within `windowMs` and the instance is `failed`. */
  readonly maxRestarts: number;
  readonly windowMs: number;
  /** The first restart is at once; the second waits this long, then doubling up to the maximum. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
};

export type UpdatePolicy = {
  /**
   * How many instances may be not ready at once while others are replaced or moved; 0 only where
   * `maxSurge` is at least 1.
   */
  readonly maxUnavailable: number;
  /** How many extra instances of the new template may exist meanwhile. */
  readonly maxSurge: number;
  /** So many instances of the new template that have failed stop the update; ≥ 1. */
  readonly failureThreshold: number;
  /** Then it is halted, or what it replaced is replaced by the previous template again. */
  readonly onFailure: "pause" | "rollback";
};

/** The instance counts as ready once its serial console has shown `text`. */
export type ConsoleReadiness = {
  readonly text: string;
  /** Not shown by then: the instance has failed. Measured from its start. */
  readonly timeoutMs: number;
};

export type VmTemplate = {
  readonly kind: "vm";
  readonly resources: Resources;
  readonly image: ImageName;
  /** cloud-init user data, given to the guest by a NoCloud seed. */
  readonly userData: string | undefined;
  /** Absent: a running VM is ready. */
  readonly readiness: ConsoleReadiness | undefined;
};

export type ContainerSource =
  | { readonly kind: "image"; readonly reference: string }
  | {
      readonly kind: "build";
      /** Digest of the packed build context, as stored; also the cache key of the built image. */
      readonly context: Digest;
      /** Path of the Dockerfile inside the context. */
      readonly dockerfile: string;
    };

export type PortMapping = {
  readonly containerPort: number;
  /** Absent: Docker picks a free one. */
  readonly hostPort: number | undefined;
  readonly protocol: "tcp" | "udp";
};

export type HealthCheck = {
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** So many failures in a row make the container unhealthy. */
  readonly retries: number;
  /** Failures this soon after the start do not count. */
  readonly startPeriodMs: number;
};

export type ContainerTemplate = {
  readonly kind: "container";
  readonly resources: Resources;
  readonly source: ContainerSource;
  /** Empty: the image's own command. */
  readonly command: readonly string[];
  readonly environment: { readonly [name: string]: string };
  readonly ports: readonly PortMapping[];
  /** Absent: a running container is ready. */
  readonly healthCheck: HealthCheck | undefined;
};

/** What every instance of a fleet is. */
export type Template = VmTemplate | ContainerTemplate;
export type TemplateKind = Template["kind"];

export type FleetSpec = {
  readonly name: FleetName;
  readonly replicas: number;
  readonly labels: Labels;
  readonly template: Template;
  readonly placement: Placement;
  readonly restart: RestartPolicy;
  readonly update: UpdatePolicy;
  readonly onHostLoss: "restart" | "wait";
  readonly onIsolation: "keep" | "stop";
};
