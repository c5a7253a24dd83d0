// What is counted, until it is reported. A series is named as Prometheus writes it: `name{label="value"}`.

import type { Address } from "hublet";

/** Counters by how much they grew, and gauges by their value. */
export interface Report {
  counters: [series: string, by: number][];
  gauges: [series: string, value: number][];
}

/** Upper bounds of the buckets of every histogram, in seconds. */
export const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

export type Labels = Record<string, string | number>;

interface Histogram {
  name: string;
  labels: Labels;
  /** How many fell into each bucket, and into none of them. */
  buckets: number[];
  sum: number;
}

export class Counts {
  readonly #counters = new Map<string, number>();
  readonly #gauges = new Map<string, number>();
  readonly #histograms = new Map<string, Histogram>();

  add(name: string, labels: Labels = {}, by = 1): void {
    grow(this.#counters, series(name, labels), by);
  }

  set(name: string, labels: Labels, value: number): void {
    this.#gauges.set(series(name, labels), value);
  }

  /** Puts a duration into a histogram. Its series are written when they are reported: this is done for every step of every machine. */
  observe(name: string, labels: Labels, milliseconds: number): void {
    const key = series(name, labels);
    let histogram = this.#histograms.get(key);
    if (histogram === undefined) {
      histogram = { name, labels, buckets: new Array<number>(BUCKETS.length + 1).fill(0), sum: 0 };
      this.#histograms.set(key, histogram);
    }
    const seconds = milliseconds / 1_000;
    const found = BUCKETS.findIndex((bound) => seconds <= bound);
    const bucket = found === -1 ? BUCKETS.length : found;
    histogram.buckets[bucket] = (histogram.buckets[bucket] ?? 0) + 1;
    histogram.sum += seconds;
  }

  /** What was counted since this was last asked; nothing if nothing was. */
  take(): Report | undefined {
    for (const histogram of this.#histograms.values()) this.#spread(histogram);
    this.#histograms.clear();
    if (this.#counters.size === 0 && this.#gauges.size === 0) return undefined;
    const report = { counters: [...this.#counters], gauges: [...this.#gauges] };
    this.#counters.clear();
    this.#gauges.clear();
    return report;
  }

  /** Takes back what could not be reported; a gauge that was set since is newer. */
  putBack(report: Report): void {
    for (const [name, by] of report.counters) grow(this.#counters, name, by);
    for (const [name, value] of report.gauges) if (!this.#gauges.has(name)) this.#gauges.set(name, value);
  }

  /** As counters: each bucket holds those below it too. */
  #spread({ name, labels, buckets, sum }: Histogram): void {
    let count = 0;
    for (const [index, within] of buckets.entries()) {
      count += within;
      if (count > 0) this.add(`${name}_bucket`, { ...labels, le: BUCKETS[index] ?? "+Inf" }, count);
    }
    this.add(`${name}_count`, labels, count);
    this.add(`${name}_sum`, labels, sum);
  }
}

/** The kind of a machine: labels are to be few, and names of rooms and peers are not. */
export function kindOf(machine: Address): string {
  return machine.split(":", 1)[0] ?? machine;
}

export function grow(counters: Map<string, number>, name: string, by: number): void {
  counters.set(name, (counters.get(name) ?? 0) + by);
}

function series(name: string, labels: Labels): string {
  const parts = Object.entries(labels).map(([label, value]) => `${label}="${escaped(String(value))}"`);
  return parts.length === 0 ? name : `${name}{${parts.join(",")}}`;
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (char) => (char === "\n" ? "\\n" : `\\${char}`));
}
