/**
 * VMs by libvirt and QEMU, on the machine where libvirtd runs.
 *
 *  V1 A domain is EVM's where its UUID follows from its owner and name, and EVM's marks are in its
 *     metadata (D3). Only such domains are touched.
 *  V2 A domain is defined last when it is made, and undefined last when it is discarded: whatever
 *     is cut short between is found again by its definition, or by the next attempt.
 *  V3 What is remembered here is a cache, keyed by the domain's UUID and its current run (D1).
 */
import { type Clock, runtimeName } from "@evm/fleet";
import type { ImageCache } from "@evm/images";
import {
  type Connection,
  DEFAULT_SOCKET_PATH,
  type DomainRef,
  isNoDomain,
  isOperationInvalid,
  LibvirtError,
  UndefineFlags,
} from "@evm/libvirt";
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
import { keepPrevious, readLog } from "./console-log.ts";
import { LibvirtConsole } from "./console-session.ts";
import { makeFiles } from "./domain-files.ts";
import { DomainList } from "./domain-list.ts";
import { domainXml, type NetworkChoice, type VmSpec } from "./domain-xml.ts";
import { toDriverError } from "./failure.ts";
import { findAccelerator, findNetwork } from "./host-facts.ts";
import { Link } from "./link.ts";
import { type Marks, uuidOf } from "./marks.ts";
import { readMarks, writeMarks } from "./metadata.ts";
import { endedRun, isUp } from "./observe.ts";
import { probeHost, unusable } from "./probe.ts";
import { shutDown } from "./shut-down.ts";

export type LibvirtDriverOptions = {
  readonly images: ImageCache;
  readonly clock: Clock;
  /**
   * Sets apart what several EVMs run by one libvirtd, as a test beside a real one: each sees its
   * own domains only. A driver with another owner no longer sees what was made before.
   */
  readonly owner: string;
  /** Default: where a system-wide libvirtd listens. */
  readonly socketPath?: string;
  /** Default: `qemu:///system`. */
  readonly uri?: string;
  /** Default: libvirt's network `default` where it is active, else none. */
  readonly network?: NetworkChoice;
};

/** Dispose of it to close its connection; the VMs run on. */
export const createLibvirtDriver = (options: LibvirtDriverOptions): Driver & AsyncDisposable =>
  new LibvirtDriver(options);

/** What a discarded domain may have left with libvirt; each is removed where it exists. */
const UNDEFINE_ALL =
  UndefineFlags.managedSave |
  UndefineFlags.snapshotsMetadata |
  UndefineFlags.checkpointsMetadata |
  UndefineFlags.nvram;

type OwnDomain = DomainRef & { readonly marks: Marks };

class LibvirtDriver implements Driver, AsyncDisposable {
  readonly kind = "vm";
  readonly #images: ImageCache;
  readonly #clock: Clock;
  readonly #owner: string;
  readonly #socketPath: string;
  readonly #network: NetworkChoice | undefined;
  readonly #link: Link;
  readonly #domains: DomainList;

  constructor(options: LibvirtDriverOptions) {
    const { images, clock, owner } = options;
    const { socketPath = DEFAULT_SOCKET_PATH, uri = "qemu:///system" } = options;
    this.#images = images;
    this.#clock = clock;
    this.#owner = owner;
    this.#socketPath = socketPath;
    this.#network = options.network;
    this.#link = new Link({ socketPath, uri, clock });
    this.#domains = new DomainList(clock, owner);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link[Symbol.asyncDispose]();
  }

  async probe(signal: AbortSignal): Promise<DriverProbe> {
    try {
      return await this.#with("probing libvirt", signal, (connection) =>
        probeHost(connection, this.#socketPath, signal),
      );
    } catch (error) {
      return unusable(error);
    }
  }

  list(signal: AbortSignal): Promise<readonly DriverInstance[]> {
    return this.#with("listing domains", signal, (connection) =>
      this.#domains.list(connection, signal),
    );
  }

  prepare(spec: InstanceSpec, options: PrepareOptions): Promise<void> {
    const { signal } = options;
    const name = nameOf(spec);
    return this.#with(`preparing ${name}`, signal, async (connection) => {
      if (!isVmSpec(spec) || spec.image === undefined) {
        const text = `expected a VM and its image, got a ${spec.template.kind}`;
        throw new DriverError("invalid", `preparing ${name}: ${text}`);
      }
      if ((await this.#find(connection, spec, signal)) !== undefined) return;
      const files = await makeFiles(this.#images, spec, spec.image, options);
      const accelerator = (await findAccelerator(connection, signal)).kind;
      const network = this.#network ?? (await findNetwork(connection, signal));
      const facts = { owner: this.#owner, accelerator, network };
      await connection.domains.define(domainXml(spec, files, facts), { signal });
    });
  }

  start(ref: InstanceRef, signal: AbortSignal): Promise<void> {
    return this.#with(`starting ${nameOf(ref)}`, signal, async (connection) => {
      const domain = await this.#require(connection, ref, signal);
      const { marks } = domain;
      const state = await connection.domains.state(domain, { signal });
      if (isUp(state)) return;
      const last = endedRun(marks.run, state);
      this.#domains.forget(domain);
      // From now on libvirt tells of the new run only.
      if (last !== marks.run) {
        await writeMarks(connection, domain, { ...marks, run: last }, signal);
      }
      await keepPrevious(marks.folder);
      const run = { startedAt: this.#clock.now(), isReady: false, end: undefined };
      await create(connection, domain, signal);
      // Cut short before this, the next pass finds that it runs since then.
      await writeMarks(connection, domain, { ...marks, run }, signal);
      this.#domains.forget(domain);
    });
  }

  stop(ref: InstanceRef, options: { graceMs: number; signal: AbortSignal }): Promise<void> {
    const { graceMs, signal } = options;
    return this.#with(`stopping ${nameOf(ref)}`, signal, async (connection) => {
      const domain = await this.#require(connection, ref, signal);
      const clock = this.#clock;
      if (await shutDown(connection, domain, { graceMs, signal, clock })) return;
      await destroy(connection, domain, signal);
    });
  }

  discard(ref: InstanceRef, signal: AbortSignal): Promise<void> {
    return this.#with(`discarding ${nameOf(ref)}`, signal, async (connection) => {
      const domain = await this.#find(connection, ref, signal);
      if (domain !== undefined) await destroy(connection, domain, signal);
      await this.#images.removeOverlay(nameOf(ref));
      if (domain === undefined) return;
      this.#domains.forget(domain);
      await connection.domains.undefine(domain, { signal, flags: UNDEFINE_ALL });
    });
  }

  async *logs(ref: InstanceRef, options: LogOptions): AsyncIterable<Uint8Array> {
    const doing = `reading the console log of ${nameOf(ref)}`;
    const { signal } = options;
    const domain = await this.#with(doing, signal, (connection) =>
      this.#require(connection, ref, signal),
    );
    // A domain that is gone has ended.
    const isRunning = () =>
      this.#with(doing, signal, async (connection) =>
        isUp(await connection.domains.state(domain, { signal })),
      ).catch((error: unknown) => {
        if (signal.aborted || (error instanceof DriverError && error.code === "notFound")) {
          return false;
        }
        throw error;
      });
    try {
      const { folder } = domain.marks;
      yield* readLog(folder, { ...options, isUp: isRunning, clock: this.#clock });
    } catch (error) {
      throw toDriverError(doing, signal, error);
    }
  }

  console(ref: InstanceRef, signal: AbortSignal): Promise<ConsoleSession> {
    return this.#with(`opening the console of ${nameOf(ref)}`, signal, async (connection) => {
      const domain = await this.#require(connection, ref, signal);
      const stream = await connection.domains.openConsole(domain, { signal });
      return new LibvirtConsole(stream, signal);
    });
  }

  async watch(onChange: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const connection = await this.#link.connection(signal);
        await using events = await connection.domains.watch({ signal });
        // Whatever happened while nobody listened.
        onChange();
        for await (const _ of events) onChange();
      } catch (error) {
        if (!(error instanceof LibvirtError) && !signal.aborted) throw error;
      }
      // The connection is lost, or cannot be made. Every other verb says so to its caller; here it
      // means trying again, at the pace that the link allows.
      await this.#clock.sleep(WATCH_RETRY_MS, signal).catch(() => undefined);
    }
  }

  /** The domain where it exists and is EVM's (V1). */
  async #find(
    connection: Connection,
    ref: InstanceRef,
    signal: AbortSignal,
  ): Promise<OwnDomain | undefined> {
    const name = nameOf(ref);
    const domain = { name, uuid: uuidOf({ owner: this.#owner, name }) };
    const marks = await readMarks(connection, domain, signal).catch(ifNoDomain);
    return marks && { ...domain, marks };
  }

  async #require(
    connection: Connection,
    ref: InstanceRef,
    signal: AbortSignal,
  ): Promise<OwnDomain> {
    const domain = await this.#find(connection, ref, signal);
    if (domain !== undefined) return domain;
    const text = `looking up ${nameOf(ref)}: EVM has no such domain`;
    throw new DriverError("notFound", text);
  }

  async #with<T>(
    doing: string,
    signal: AbortSignal,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    try {
      return await work(await this.#link.connection(signal));
    } catch (error) {
      throw toDriverError(doing, signal, error);
    }
  }
}

/** Short beside the time in which libvirtd restarts, long beside the cost of an attempt. */
const WATCH_RETRY_MS = 500;

const nameOf = (ref: InstanceRef): string => runtimeName(ref.name, ref.incarnation);

const isVmSpec = (spec: InstanceSpec): spec is VmSpec => spec.template.kind === "vm";

async function create(
  connection: Connection,
  domain: DomainRef,
  signal: AbortSignal,
): Promise<void> {
  try {
    await connection.domains.create(domain, { signal });
  } catch (error) {
    // An earlier attempt that was cut short may have reached the daemon.
    if (!isOperationInvalid(error)) throw error;
    if (!isUp(await connection.domains.state(domain, { signal }))) throw error;
  }
}

async function destroy(
  connection: Connection,
  domain: DomainRef,
  signal: AbortSignal,
): Promise<void> {
  try {
    await connection.domains.destroy(domain, { signal });
  } catch (error) {
    // It is off already.
    if (!isOperationInvalid(error)) throw error;
  }
}

function ifNoDomain(error: unknown): undefined {
  if (isNoDomain(error)) return undefined;
  throw error;
}
