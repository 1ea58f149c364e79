export type {
  ConsoleSession,
  Driver,
  DriverErrorCode,
  DriverInstance,
  DriverProbe,
  InstanceRef,
  InstanceSpec,
  LogOptions,
  PrepareOptions,
  Progress,
} from "./driver.ts";
export { DriverError } from "./driver.ts";
