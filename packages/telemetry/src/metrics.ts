/** Metrics of one program, on a registry of its own. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export type MetricOptions<Label extends string> = {
  /** By Prometheus' conventions: `evm_<noun>_<unit>`, counters end in `_total`. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
};

/** Makes metrics on one registry. */
export class Metrics {
  readonly registry = new Registry();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  counter<Label extends string>(options: MetricOptions<Label>): Counter<Label> {
    return new Counter(this.#configuration(options));
  }

  gauge<Label extends string>(options: MetricOptions<Label>): Gauge<Label> {
    return new Gauge(this.#configuration(options));
  }

  /** @param options `buckets` in seconds, rising */
  histogram<Label extends string>(
    options: MetricOptions<Label> & { readonly buckets: readonly number[] },
  ): Histogram<Label> {
    return new Histogram({ ...this.#configuration(options), buckets: [...options.buckets] });
  }

  #configuration<Label extends string>({ name, help, labels }: MetricOptions<Label>) {
    return { name, help, labelNames: labels, registers: [this.registry] };
  }
}
