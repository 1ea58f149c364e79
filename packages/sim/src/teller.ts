/** Writes into the trace what changed on hosts and in their orders. */
import type { DriverInstance } from "@evm/drivers";
import type { HostName } from "@evm/fleet";
import type { Network } from "./network.ts";
import { keyOf, type Truth, withoutSame } from "./oracles/truth.ts";
import type { Trace } from "./trace.ts";

type Lines = ReadonlyMap<string, string>;

export class Teller {
  readonly #trace: Trace;
  readonly #network: Network;
  readonly #ordered = new Map<HostName, Lines>();
  readonly #held = new Map<HostName, readonly DriverInstance[]>();
  readonly #generations = new Map<HostName, number>();

  constructor(trace: Trace, network: Network) {
    this.#trace = trace;
    this.#network = network;
  }

  /** Tells what differs from the last time; old orders are kept to be given to hosts again. */
  tell({ changes }: Truth): void {
    for (const orders of changes.orders) {
      const { host, epoch, generation, instances } = orders;
      if (this.#generations.get(host) === generation) continue;
      this.#generations.set(host, generation);
      this.#network.remember(orders);
      const now = new Map(instances.map((one) => [keyOf(one), one.desired]));
      const news = differences(this.#ordered.get(host), now);
      this.#ordered.set(host, now);
      this.#trace.add(`orders ${host} ${epoch}/${generation}: ${news.join(" ")}`);
    }
    for (const { name, instances } of changes.hosts) {
      const before = this.#held.get(name) ?? [];
      this.#held.set(name, instances);
      const news = differences(
        statesOf(withoutSame(before, instances)),
        statesOf(withoutSame(instances, before)),
      );
      if (news.length > 0) this.#trace.add(`${name}: ${news.join(" ")}`);
    }
  }
}

const statesOf = (instances: readonly DriverInstance[]): Lines =>
  new Map(instances.map((one) => [keyOf(one), one.state]));

function differences(before: Lines = new Map(), now: Lines): readonly string[] {
  const news: string[] = [];
  for (const [key, state] of now) if (before.get(key) !== state) news.push(`${key}=${state}`);
  for (const key of before.keys()) if (!now.has(key)) news.push(`${key} gone`);
  return news;
}
