/** EVM's domains: listed in one call, and noted on where a pass sees something new of them. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@evm/fleet";
import {
  type Connection,
  type Domain,
  type DomainRef,
  type DomainState,
  type DomainStats,
  domainState,
  isNoDomain,
  StatsGroups,
} from "@evm/libvirt";
import type { DriverInstance } from "../driver.ts";
import { findText, type LogCursor } from "./console-log.ts";
import { leasesOf } from "./host-facts.ts";
import { type Marks, macOf, uuidOf } from "./marks.ts";
import { readMarks, writeMarks } from "./metadata.ts";
import { currentRun, isUp, observe } from "./observe.ts";

/** libvirt's number for the run that a domain is in; undefined while it is off. */
type RunId = number | undefined;

type Known = {
  readonly id: RunId;
  /** Undefined for a domain that is not EVM's. */
  readonly marks: Marks | undefined;
  readonly cursor: LogCursor | undefined;
};

type Listed = { readonly domain: Domain; readonly state: DomainState; readonly marks: Marks };

export class DomainList {
  readonly #clock: Clock;
  readonly #owner: string;
  /** By UUID; as large as the last listing, for what is gone leaves with each pass. */
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock, owner: string) {
    this.#clock = clock;
    this.#owner = owner;
  }

  async list(connection: Connection, signal: AbortSignal): Promise<readonly DriverInstance[]> {
    const owner = this.#owner;
    const all = await connection.domains.stats({ groups: StatsGroups.state, signal });
    const ours = all.filter(({ domain }) => domain.uuid === uuidOf({ owner, name: domain.name }));
    const uuids = new Set(ours.map(({ domain }) => domain.uuid));
    for (const uuid of this.#known.keys()) if (!uuids.has(uuid)) this.#known.delete(uuid);
    const listed = await this.#withMarks(connection, ours, signal);
    const addresses = await addressesOf(connection, listed, signal);
    const instances = await Promise.all(
      listed.map((it) => this.#look(connection, it, addresses, signal)),
    );
    return instances.sort(byName);
  }

  /** To be called where a verb changes a domain: what a pass saw of it before is old then. */
  forget(domain: DomainRef): void {
    this.#known.delete(domain.uuid);
  }

  async #withMarks(
    connection: Connection,
    stats: readonly DomainStats[],
    signal: AbortSignal,
  ): Promise<readonly Listed[]> {
    const listed = stats.map(async ({ domain, parameters }): Promise<readonly Listed[]> => {
      const marks = await this.#cachedMarks(connection, domain, signal);
      if (marks === undefined) return [];
      const number = (name: string) => Number(parameters.get(name));
      return [{ domain, marks, state: domainState(number("state.state"), number("state.reason")) }];
    });
    return (await Promise.all(listed)).flat();
  }

  async #cachedMarks(
    connection: Connection,
    domain: Domain,
    signal: AbortSignal,
  ): Promise<Marks | undefined> {
    const known = this.#known.get(domain.uuid);
    if (known !== undefined && known.id === domain.id) return known.marks;
    // A domain that goes away meanwhile is not listed.
    const marks = await readMarks(connection, domain, signal).catch((error: unknown) => {
      if (!isNoDomain(error)) throw error;
    });
    this.#known.set(domain.uuid, { id: domain.id, marks: marks ?? undefined, cursor: undefined });
    return marks ?? undefined;
  }

  async #look(
    connection: Connection,
    { domain, state, marks }: Listed,
    addresses: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<DriverInstance> {
    const now = this.#clock.now();
    const up = isUp(state);
    const { instance, run } = observe(marks, state, {
      now,
      isTextShown: up && (await this.#isTextShown(domain, marks, now)),
      isDiskThere: up || (await exists(join(marks.folder, "disk.qcow2"))),
      address: addresses.get(macOf({ owner: this.#owner, name: domain.name })),
    });
    // Not what was seen before somebody started or discarded it in the middle of this pass.
    const isCurrent = this.#known.get(domain.uuid)?.marks === marks;
    if (run !== marks.run && isCurrent) {
      await this.#note(connection, domain, { ...marks, run }, signal);
    }
    return instance;
  }

  async #isTextShown(domain: Domain, marks: Marks, now: number): Promise<boolean> {
    const { readiness, folder } = marks;
    const { isReady, startedAt } = currentRun(marks.run, now);
    if (readiness === undefined || isReady) return false;
    const known = this.#known.get(domain.uuid);
    const options = { since: startedAt, cursor: known?.cursor };
    const { isFound, cursor } = await findText(folder, readiness.text, options);
    if (this.#known.get(domain.uuid) === known) {
      this.#known.set(domain.uuid, { id: domain.id, marks, cursor });
    }
    return isFound;
  }

  async #note(
    connection: Connection,
    domain: Domain,
    marks: Marks,
    signal: AbortSignal,
  ): Promise<void> {
    this.#known.set(domain.uuid, { id: domain.id, marks, cursor: undefined });
    try {
      await writeMarks(connection, domain, marks, signal);
    } catch (error) {
      this.forget(domain);
      // It is gone in this moment.
      if (!isNoDomain(error)) throw error;
    }
  }
}

/** By MAC address, of all networks that running domains are on: two calls for each network. */
async function addressesOf(
  connection: Connection,
  listed: readonly Listed[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const running = listed.filter(({ state }) => isUp(state));
  const networks = new Set(running.flatMap(({ marks }) => marks.network ?? []));
  const leases = await Promise.all([...networks].map((it) => leasesOf(connection, it, signal)));
  return new Map(leases.flatMap((it) => [...it]));
}

const byName = (a: DriverInstance, b: DriverInstance): number =>
  a.name === b.name ? a.incarnation - b.incarnation : a.name < b.name ? -1 : 1;

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
