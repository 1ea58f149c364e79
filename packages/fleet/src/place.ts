/**
 * Finds a host for one incarnation: every rule must admit it, the best score wins.
 *
 * Deterministic: equals are told apart by rank, then by name. Exact: the result is that of asking
 * every rule and every score of every host; the order in which hosts are looked at, and what is
 * remembered from one call to the next, only save work.
 */
import { type Claim, HostLoad } from "./host-load.ts";
import type { Digest, HostName } from "./ids.ts";
import type { Refusal } from "./plan.ts";
import { RankedHosts } from "./ranked-hosts.ts";
import type { PlaceRequest } from "./rule.ts";
import { RULES } from "./rules/index.ts";
import { IMAGE_HERE_BONUS, imageHere } from "./scores/image-here.ts";
import { pack } from "./scores/pack.ts";
import { spread } from "./scores/spread.ts";
import type { HostView, Overcommit } from "./snapshot.ts";
import type { Placement } from "./spec.ts";

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
  for (const rule of RULES) if (!rule.admits(host, request)) return false;
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

const RANKINGS = { pack, spread } as const;

/** All hosts with what is promised on them; promises change only through `claim` and `release`. */
export class Cluster {
  /** Sorted by name. */
  readonly hosts: readonly HostLoad[];
  readonly #indexes: ReadonlyMap<HostName, number>;
  readonly #ranked = new Map<Placement["strategy"], RankedHosts>();
  readonly #bonuses = new Map<Digest, { byHost: Float64Array; hasAny: boolean }>();
  /** Of `#lastRequest`: claims only grow, so who refused it once does so again. */
  #lastRequest: PlaceRequest | undefined;
  readonly #hasRefused: Uint8Array;
  #lastFailure: PlaceResult | undefined;

  /** @param views sorted by name */
  constructor(views: readonly HostView[], overcommit: Overcommit) {
    this.hosts = views.map((view) => new HostLoad(view, overcommit));
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
    for (const ranked of this.#ranked.values()) ranked.update(index);
  }

  /** The best host of all, without claiming anything. */
  find(request: PlaceRequest): PlaceResult {
    if (request !== this.#lastRequest) {
      this.#lastRequest = request;
      this.#lastFailure = undefined;
      this.#hasRefused.fill(0);
    }
    if (this.#lastFailure !== undefined) return this.#lastFailure;
    const host = this.#best(request);
    if (host !== undefined) return { kind: "placed", host };
    this.#lastFailure = { kind: "wait", refusals: explainRefusals(this.hosts, request) };
    return this.#lastFailure;
  }

  /** Walks down the ranking until no host that follows can have a better score. */
  #best(request: PlaceRequest): HostLoad | undefined {
    const ranked = this.#rankedBy(request.placement.strategy);
    const bonuses = this.#bonusesOf(request);
    const maxBonus = bonuses === undefined ? 0 : IMAGE_HERE_BONUS;
    let best: HostLoad | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let position = 0; position < ranked.length; position += 1) {
      const index = ranked.at(position);
      const rank = ranked.rankOf(index);
      if (rank + maxBonus <= bestScore) break;
      const score = rank + (bonuses?.[index] ?? 0);
      if (score <= bestScore || this.#hasRefused[index] === 1) continue;
      const host = this.hosts[index];
      if (host !== undefined && admits(host, request)) {
        best = host;
        bestScore = score;
      } else {
        this.#hasRefused[index] = 1;
      }
    }
    return best;
  }

  /** `imageHere` by index of host, made once per image; absent where no host gains anything. */
  #bonusesOf(request: PlaceRequest): Float64Array | undefined {
    if (request.image === undefined) return undefined;
    const { digest } = request.image.disk;
    const known = this.#bonuses.get(digest);
    if (known !== undefined) return known.hasAny ? known.byHost : undefined;
    const byHost = Float64Array.from(this.hosts, (host) => imageHere(host, request));
    const bonuses = { byHost, hasAny: byHost.some((bonus) => bonus > 0) };
    this.#bonuses.set(digest, bonuses);
    return bonuses.hasAny ? byHost : undefined;
  }

  #rankedBy(strategy: Placement["strategy"]): RankedHosts {
    const known = this.#ranked.get(strategy);
    if (known !== undefined) return known;
    const ranked = new RankedHosts(this.hosts, RANKINGS[strategy]);
    this.#ranked.set(strategy, ranked);
    return ranked;
  }
}
