/** Containers on the host's Docker daemon. The daemon is the only memory (D1). */
import { Readable } from "node:stream";
import { type Clock, type ContainerTemplate, runtimeName } from "@evm/fleet";
import type { ContainerInspectInfo } from "dockerode";
import {
  type ConsoleSession,
  type Driver,
  DriverError,
  type DriverInstance,
  type DriverProbe,
  type InstanceRef,
  type InstanceSpec,
  type LogOptions,
  type PrepareOptions,
} from "../driver.ts";
import { identityOf, ownerOf } from "./container-labels.ts";
import { ContainerList } from "./container-list.ts";
import { containerOptions } from "./container-options.ts";
import { endUnseen, isDenial, mayRunUnseen } from "./denied.ts";
import { openConsole } from "./docker-console.ts";
import { DockerEngine } from "./docker-engine.ts";
import { alreadySo } from "./docker-error.ts";
import { DockerImages, type GetContext, referenceOf } from "./docker-images.ts";
import { probeDocker } from "./docker-probe.ts";
import { stopContainer } from "./docker-stop.ts";
import { watchContainers } from "./docker-watch.ts";
import { unframe } from "./log-frames.ts";

export type DockerDriverOptions = {
  /** Of the daemon: usually `/var/run/docker.sock`. */
  readonly socketPath: string;
  /** Sets apart what several EVMs run by one daemon: each sees its own containers only. */
  readonly owner: string;
  /** Where build contexts come from. */
  readonly getContext: GetContext;
  readonly clock: Clock;
  /** From 0 up to 1, for the jitter of reconnections. */
  readonly random: () => number;
};

/** Makes a driver over one Docker daemon, which need not run yet. */
export const createDockerDriver = (options: DockerDriverOptions): Driver =>
  new DockerDriver(options);

class DockerDriver implements Driver {
  readonly kind = "container";
  readonly #socketPath: string;
  readonly #owner: string;
  readonly #random: () => number;
  readonly #engine: DockerEngine;
  readonly #images: DockerImages;
  readonly #list: ContainerList;

  constructor({ socketPath, owner, getContext, clock, random }: DockerDriverOptions) {
    this.#socketPath = socketPath;
    this.#owner = owner;
    this.#random = random;
    this.#engine = new DockerEngine({ socketPath, clock });
    this.#images = new DockerImages(this.#engine, getContext);
    this.#list = new ContainerList(this.#engine, owner);
  }

  probe(signal: AbortSignal): Promise<DriverProbe> {
    return probeDocker(this.#engine, this.#socketPath, signal);
  }

  list(signal: AbortSignal): Promise<readonly DriverInstance[]> {
    return this.#list.read(signal);
  }

  async prepare(spec: InstanceSpec, options: PrepareOptions): Promise<void> {
    const doing = `preparing ${nameOf(spec)}`;
    const { template } = spec;
    if (template.kind !== "container") {
      throw new DriverError("invalid", `${doing}: Docker runs containers, not a ${template.kind}`);
    }
    if (await this.#isPrepared(spec, doing, options.signal)) return;
    try {
      await this.#create(spec, template, doing, options);
    } catch (error) {
      // What was built for it may never get a container that takes it along.
      const { aborted } = options.signal;
      const reference = referenceOf(template.source);
      if (aborted) await this.#images.release(reference, doing, new AbortController().signal);
      throw error;
    }
  }

  async #create(
    spec: InstanceSpec,
    template: ContainerTemplate,
    doing: string,
    options: PrepareOptions,
  ): Promise<void> {
    const image = await this.#images.ensure(template.source, options);
    const create = containerOptions(spec, template, { image, owner: this.#owner });
    try {
      await this.#engine.call(doing, options.signal, (docker, abortSignal) =>
        docker.createContainer({ ...create, abortSignal }),
      );
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
      // Cut short and repeated, two of us may have been at it; the name admits one.
      if (error.code === "failed" && (await this.#isPrepared(spec, doing, options.signal))) return;
      // Somebody removed the image in between: the next attempt gets it anew.
      if (error.code === "notFound")
        throw new DriverError("unavailable", error.message, { cause: error });
      throw error;
    }
  }

  async start(ref: InstanceRef, signal: AbortSignal): Promise<void> {
    const doing = `starting ${nameOf(ref)}`;
    const { Id } = await this.#get(ref, doing, signal);
    try {
      await this.#engine.call(doing, signal, (docker, abortSignal) =>
        docker.getContainer(Id).start({ abortSignal }).catch(alreadySo(304)),
      );
    } catch (error) {
      this.#list.changed(Id);
      // The next attempt starts it.
      if (isDenial(error)) await this.#endUnseen(Id, doing, signal);
      throw error;
    }
  }

  async stop(ref: InstanceRef, options: { graceMs: number; signal: AbortSignal }): Promise<void> {
    const doing = `stopping ${nameOf(ref)}`;
    const container = await this.#get(ref, doing, options.signal);
    await stopContainer(this.#engine, container, doing, options);
  }

  async discard(ref: InstanceRef, signal: AbortSignal): Promise<void> {
    const doing = `discarding ${nameOf(ref)}`;
    const found = await this.#find(ref, doing, signal);
    if (found === undefined) return;
    if (mayRunUnseen(found)) await this.#endUnseen(found.Id, doing, signal);
    await this.#engine.call(doing, signal, async (docker, abortSignal) => {
      const container = docker.getContainer(found.Id);
      // 409: somebody removes it already; this waits for the end of that.
      await container.remove({ force: true, v: true, abortSignal }).catch(alreadySo(404, 409));
      await container.wait({ condition: "removed", abortSignal }).catch(alreadySo(404));
    });
    await this.#images.release(found.Config.Image, doing, signal);
  }

  async *logs(ref: InstanceRef, options: LogOptions): AsyncGenerator<Uint8Array> {
    const { signal, tailLines } = options;
    const doing = `reading the log of ${nameOf(ref)}`;
    const { Id } = await this.#get(ref, doing, signal);
    const frames = this.#engine.stream(doing, signal, async (docker, abortSignal) => {
      const container = docker.getContainer(Id);
      const tail = tailLines === undefined ? {} : { tail: tailLines };
      const what = { stdout: true, stderr: true, abortSignal, ...tail };
      if (options.isFollowing) return container.logs({ ...what, follow: true });
      // All at once, in memory: what is kept of a log is limited.
      return Readable.from([await container.logs({ ...what, follow: false })]);
    });
    try {
      yield* unframe(frames);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async console(ref: InstanceRef, signal: AbortSignal): Promise<ConsoleSession> {
    const doing = `opening the console of ${nameOf(ref)}`;
    const { Id } = await this.#get(ref, doing, signal);
    return openConsole(this.#engine, doing, Id, signal);
  }

  watch(onChange: () => void, signal: AbortSignal): Promise<void> {
    const options = { owner: this.#owner, list: this.#list, random: this.#random };
    return watchContainers(this.#engine, options, onChange, signal);
  }

  #endUnseen(id: string, doing: string, signal: AbortSignal): Promise<void> {
    return endUnseen(id, { clock: this.#engine.clock, doing, signal });
  }

  async #isPrepared(spec: InstanceSpec, doing: string, signal: AbortSignal): Promise<boolean> {
    const container = await this.#engine.inspect(nameOf(spec), doing, signal);
    if (container === undefined) return false;
    if (isOf(container, spec, this.#owner)) return true;
    const owner = ownerOf(container.Config.Labels);
    const whose = owner === undefined ? "is not EVM's" : `belongs to EVM's host ${owner}`;
    throw new DriverError("failed", `${doing}: a container that ${whose} has this name`);
  }

  /** EVM's container for this incarnation; D3: another's under the same name is none. */
  async #find(
    ref: InstanceRef,
    doing: string,
    signal: AbortSignal,
  ): Promise<ContainerInspectInfo | undefined> {
    const container = await this.#engine.inspect(nameOf(ref), doing, signal);
    return container !== undefined && isOf(container, ref, this.#owner) ? container : undefined;
  }

  async #get(ref: InstanceRef, doing: string, signal: AbortSignal): Promise<ContainerInspectInfo> {
    const found = await this.#find(ref, doing, signal);
    if (found !== undefined) return found;
    throw new DriverError("notFound", `${doing}: there is no such container of EVM's`);
  }
}

const nameOf = (ref: InstanceRef): string => runtimeName(ref.name, ref.incarnation);

function isOf(container: ContainerInspectInfo, ref: InstanceRef, owner: string): boolean {
  const identity = identityOf(container.Config.Labels, owner);
  return identity?.name === ref.name && identity.incarnation === ref.incarnation;
}
