export type { ApiContext } from "./api/context.ts";
export type { ApiServer, ApiServerOptions } from "./api/serve.ts";
export { serveApi } from "./api/serve.ts";
export type { CoordinatorOptions } from "./coordinator.ts";
export { Coordinator } from "./coordinator.ts";
export type { InstanceView } from "./instances.ts";
export type { CoordinatorMetrics } from "./metrics.ts";
export { createCoordinatorMetrics } from "./metrics.ts";
export type { Picture } from "./picture.ts";
