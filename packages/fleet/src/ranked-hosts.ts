import type { HostLoad } from "./host-load.ts";
import type { Ranking } from "./rule.ts";

/**
 * Hosts in the order of a ranking, kept in order as loads change. Moving one host costs two binary
 * searches and one move within an array of integers: about a microsecond for 5,000 hosts.
 */
export class RankedHosts {
  readonly #hosts: readonly HostLoad[];
  readonly #ranking: Ranking;
  /** Rank by index of host. */
  readonly #ranks: Float64Array;
  /** Indexes of hosts: greatest rank first, and by index (that is, by name) among equals. */
  readonly #order: Int32Array;

  /** @param hosts sorted by name; only those that are open are ranked */
  constructor(hosts: readonly HostLoad[], ranking: Ranking) {
    this.#hosts = hosts;
    this.#ranking = ranking;
    this.#ranks = Float64Array.from(hosts, ranking);
    const open = hosts.flatMap((host, index) => (host.isOpen ? [index] : []));
    this.#order = Int32Array.from(open).sort((a, b) => this.#compare(a, this.#rank(a), b));
  }

  get length(): number {
    return this.#order.length;
  }

  /** Index of the host at `position`, 0 being the best. */
  at(position: number): number {
    return this.#order[position] ?? -1;
  }

  rankOf(index: number): number {
    return this.#rank(index);
  }

  /** Puts the host back in its place after its load changed. */
  update(index: number): void {
    const host = this.#hosts[index];
    if (host === undefined || !host.isOpen) return;
    const next = this.#ranking(host);
    const before = this.#rank(index);
    if (next === before) return;
    const from = this.#search(index, before);
    this.#ranks[index] = next;
    if (next > before) {
      const to = this.#search(index, next, 0, from);
      this.#order.copyWithin(to + 1, to, from);
      this.#order[to] = index;
    } else {
      const to = this.#search(index, next, from + 1, this.length) - 1;
      this.#order.copyWithin(from, from + 1, to + 1);
      this.#order[to] = index;
    }
  }

  #rank(index: number): number {
    return this.#ranks[index] ?? 0;
  }

  /** Negative where the host `index`, were its rank `rank`, comes before the host `other`. */
  #compare(index: number, rank: number, other: number): number {
    return this.#rank(other) - rank || index - other;
  }

  /** First position in [low, high) whose host does not come before the host `index` at `rank`. */
  #search(index: number, rank: number, low = 0, high = this.length): number {
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(index, rank, this.at(middle)) > 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
