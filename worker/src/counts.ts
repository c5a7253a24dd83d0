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

export class Counts {
  readonly #counters = new Map<string, number>();
  readonly #gauges = new Map<string, number>();

  add(name: string, labels: Labels = {}, by = 1): void {
    grow(this.#counters, series(name, labels), by);
  }

  set(name: string, labels: Labels, value: number): void {
    this.#gauges.set(series(name, labels), value);
  }

  /** Puts a duration into a histogram. */
  observe(name: string, labels: Labels, milliseconds: number): void {
    const seconds = milliseconds / 1_000;
    for (const le of BUCKETS) if (seconds <= le) this.add(`${name}_bucket`, { ...labels, le });
    this.add(`${name}_bucket`, { ...labels, le: "+Inf" });
    this.add(`${name}_sum`, labels, seconds);
    this.add(`${name}_count`, labels);
  }

  /** What was counted since this was last asked; nothing if nothing was. */
  take(): Report | undefined {
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
