/**
 * Finds a host for one incarnation: every rule must admit it, the best score wins.
 *
 * Deterministic: of equals the one that has the image wins, then the first by name. Exact: the
 * result is that of asking every rule and every score of every host; the order in which hosts are
 * looked at, and what is remembered from one call to the next, only save work.
 */
import { type Claim, HostLoad } from "./host-load.ts";
import type { HostName } from "./ids.ts";
import type { Refusal } from "./plan.ts";
import { RankedHosts } from "./ranked-hosts.ts";
import type { PlaceRequest } from "./rule.ts";
import { RULES, RULES_BY_COST } from "./rules/index.ts";
import { IMAGE_HERE_BONUS, imageHere } from "./scores/image-here.ts";
import { pack } from "./scores/pack.ts";
import { spread } from "./scores/spread.ts";
import type { HostView, Overcommit } from "./snapshot.ts";
import type { Resources } from "./spec.ts";

export type PlaceResult =
  | { readonly kind: "placed"; readonly host: HostLoad }
  | { readonly kind: "wait"; readonly refusals: readonly Refusal[] };

/** The host for `request`: `prefer`, where the rules admit it there, else the best of all. */
export function place(cluster: Cluster, request: PlaceRequest, prefer?: HostName): PlaceResult {
  const preferred = prefer === undefined ? undefined : cluster.host(prefer);
  if (preferred !== undefined && admits(preferred, request)) {
    return { kind: "placed", host: preferred };
  }
  return cluster.find(request);
}

/** True where every rule admits the request. */
export function admits(host: HostLoad, request: PlaceRequest): boolean {
  for (const rule of RULES_BY_COST) if (!rule.admits(host, request)) return false;
  return true;
}

/**
 * For each rule that turned hosts away, how many and what would help. A host counts for the first
 * rule that refuses it, so that the counts add up to the number of hosts (I8).
 */
export function explainRefusals(
  hosts: readonly HostLoad[],
  request: PlaceRequest,
): readonly Refusal[] {
  if (hosts.length === 0) return [{ rule: "host", hosts: 0, text: "needs a host; there is none" }];
  const refusedBy = Map.groupBy(hosts, (host) => RULES.find((rule) => !rule.admits(host, request)));
  return RULES.flatMap((rule) => {
    const refused = refusedBy.get(rule);
    if (refused === undefined) return [];
    return [{ rule: rule.name, hosts: refused.length, text: rule.explain(refused, request) }];
  });
}

/**
 * So many distinct requests are told in detail, in one plan, why they fit nowhere. It takes every
 * rule of every host: half a millisecond for 5,000 hosts, so half a second in all.
 */
export const MAX_EXPLAINED = 1_000;

const RANKINGS = { pack, spread } as const;

/** What a host that admits the request is worth to it: the greatest is taken. */
export const scoreOf = (host: HostLoad, request: PlaceRequest): number =>
  RANKINGS[request.placement.strategy](host) + imageHere(host, request);

/** Hosts that gain the same from what is there already, in the order of a strategy. */
type Tier = { readonly ranked: RankedHosts; readonly bonus: number };

/** All hosts, with what is promised on them. Promises only grow, through `claim`. */
export class Cluster {
  /** Sorted by name. */
  readonly hosts: readonly HostLoad[];
  readonly #indexes: ReadonlyMap<HostName, number>;
  readonly #tiers = new Map<string, readonly Tier[]>();
  readonly #ranked: RankedHosts[] = [];
  /** Of `#lastRequest`: claims only grow, so who refused it once does so again. */
  #lastRequest: PlaceRequest | undefined;
  readonly #hasRefused: Uint8Array;
  #lastFailure: PlaceResult | undefined;
  /** No host has more of any of these: as it was when something last fitted nowhere. */
  #mostFree: Resources | undefined;
  #explained = 0;

  /**
   * @param views sorted by name
   * @param estranged see `recall`
   */
  constructor(
    views: readonly HostView[],
    overcommit: Overcommit,
    estranged: ReadonlySet<HostName> = new Set(),
  ) {
    this.hosts = views.map((view) => new HostLoad(view, overcommit, estranged.has(view.name)));
    this.#indexes = new Map(this.hosts.map((host, index) => [host.name, index]));
    this.#hasRefused = new Uint8Array(this.hosts.length);
  }

  host(name: HostName): HostLoad | undefined {
    const index = this.#indexes.get(name);
    return index === undefined ? undefined : this.hosts[index];
  }

  /** Promises the host's resources to an incarnation: all of them, or all but the disk. */
  claim(host: HostLoad, claim: Claim, part: "all" | "run"): void {
    host.claimRun(claim);
    if (part === "all") {
      host.claimDisk(claim);
      host.entries += 1;
    }
    const index = this.#indexes.get(host.name) ?? -1;
    for (const ranked of this.#ranked) ranked.touch(index);
  }

  /** The best host of all, without claiming anything. */
  find(request: PlaceRequest): PlaceResult {
    if (request !== this.#lastRequest) {
      this.#lastRequest = request;
      this.#lastFailure = undefined;
      this.#hasRefused.fill(0);
    }
    if (this.#lastFailure !== undefined) return this.#lastFailure;
    if (!this.#isTooMuch(request)) {
      const host = this.#best(request);
      if (host !== undefined) return { kind: "placed", host };
      this.#mostFree = mostFree(this.hosts);
    }
    this.#lastFailure = { kind: "wait", refusals: this.#explain(request) };
    return this.#lastFailure;
  }

  /** True where no host need be asked: in a full cluster each fleet would ask all of them. */
  #isTooMuch({ resources }: PlaceRequest): boolean {
    const most = this.#mostFree;
    if (most === undefined) return false;
    return RESOURCES.some((kind) => resources[kind] > 0 && resources[kind] > most[kind]);
  }

  #explain(request: PlaceRequest): readonly Refusal[] {
    this.#explained += 1;
    if (this.#explained <= MAX_EXPLAINED) return explainRefusals(this.hosts, request);
    const text = `no host admits it; the rules are counted for ${MAX_EXPLAINED} other fleets`;
    return [{ rule: "any", hosts: this.hosts.length, text }];
  }

  /** Within a tier the first host that is admitted is the best, so the best of those is it. */
  #best(request: PlaceRequest): HostLoad | undefined {
    let best: HostLoad | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (const { ranked, bonus } of this.#tiersOf(request)) {
      ranked.refresh();
      for (let position = 0; position < ranked.length; position += 1) {
        const index = ranked.at(position);
        if (this.#hasRefused[index] === 1) continue;
        const score = ranked.rankOf(index) + bonus;
        if (score <= bestScore) break;
        const host = this.hosts[index];
        if (host !== undefined && admits(host, request)) {
          best = host;
          bestScore = score;
          break;
        }
        this.#hasRefused[index] = 1;
      }
    }
    return best;
  }

  /** The hosts by what they gain beside their rank: those that have the image, then the others. */
  #tiersOf(request: PlaceRequest): readonly Tier[] {
    const { strategy } = request.placement;
    const key = `${strategy} ${request.image?.disk.digest}`;
    const known = this.#tiers.get(key);
    if (known !== undefined) return known;
    const tiers = [IMAGE_HERE_BONUS, 0].map((bonus) => {
      const gainsIt = (host: HostLoad): boolean => imageHere(host, request) === bonus;
      return { bonus, ranked: new RankedHosts(this.hosts, RANKINGS[strategy], gainsIt) };
    });
    this.#tiers.set(key, tiers);
    this.#ranked.push(...tiers.map((tier) => tier.ranked));
    return tiers;
  }
}

const RESOURCES = ["vcpuMillis", "memoryMib", "diskMib"] as const;

/** The most that any open host has left of each. */
function mostFree(hosts: readonly HostLoad[]): Resources {
  const most = { vcpuMillis: 0, memoryMib: 0, diskMib: 0 };
  for (const host of hosts) {
    if (!host.isOpen) continue;
    for (const kind of RESOURCES) most[kind] = Math.max(most[kind], host.limit[kind] - host[kind]);
  }
  return most;
}
