export type { DockerDriverOptions } from "./docker/docker-driver.ts";
export { createDockerDriver } from "./docker/docker-driver.ts";
export type { GetContext } from "./docker/docker-images.ts";
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
export type { FakeDriverOptions } from "./fake/fake-driver.ts";
export { createFakeDriver } from "./fake/fake-driver.ts";
export type { FakeProgram } from "./fake/fake-instance.ts";
export type { FakeFault, FakeRuntimeOptions, FakeVerb } from "./fake/fake-runtime.ts";
export { FakeRuntime } from "./fake/fake-runtime.ts";
export type { NetworkChoice } from "./libvirt/domain-xml.ts";
export { hasVirtualization } from "./libvirt/host-facts.ts";
export type { LibvirtDriverOptions } from "./libvirt/libvirt-driver.ts";
export { createLibvirtDriver } from "./libvirt/libvirt-driver.ts";
