// The object that keeps what all others count, and writes it as Prometheus reads it. It is also asked whether storage works.
import { DurableObject } from "cloudflare:workers";
import { memoryTaken } from "hublet";
import type { Env } from "./env.js";
import { grow, type Report } from "./counts.js";

/** The object's one name. */
export const METRICS = "metrics";

/** Series beyond these are not kept. Names of peers come from outside. */
const MOST_SERIES = 5_000;

/** A gauge that nobody has set for so long is of an object that is gone; a peer that is owed something is tried at least once an hour. */
const GAUGE_LIFE = 2 * 3_600_000;

/** How long counts stay in memory only. */
const SAVED_AFTER = 5_000;

/** How long an answer about storage holds: anybody may ask for it. */
const PROBED_FOR = 5_000;

const COUNTS = "counts";
const PROBE = "probe";

interface Kept {
  counters: [series: string, value: number][];
  gauges: [series: string, value: number, at: number][];
}

/** Every family: its type and what it says. */
const FAMILIES: Record<string, [type: "counter" | "gauge" | "histogram", help: string]> = {
  hublet_requests_total: ["counter", "Requests by endpoint and status."],
  hublet_requests_refused_total: ["counter", "Requests that were refused, by endpoint and error code."],
  hublet_request_seconds: ["histogram", "Time from a request to its answer."],
  hublet_events_appended_total: ["counter", "Events that were appended to rooms of this server, as hub or as participant."],
  hublet_events_refused_total: ["counter", "Events that were refused, by the rung and its rule."],
  hublet_notices_total: ["counter", "What rooms tell operators, by type."],
  hublet_outbox_depth: ["gauge", "What a peer has not been sent or has not answered: rooms that owe it, events at hand, EDUs."],
  hublet_module_memory_bytes: ["gauge", "Memory that the module has taken in the isolate that reported last."],
  hublet_outgoing_total: ["counter", "Requests to other servers, by result."],
  hublet_step_seconds: ["histogram", "Time of a machine's steps, by input; a room verifies in `ask`, chains and signs in `ask` or `rows`."],
  hublet_store_seconds: ["histogram", "Time of applying a batch of rows."],
  hublet_rows_written_total: ["counter", "Rows written, as the platform counts them."],
  hublet_alarms_set_total: ["counter", "Alarms that were set; each is a row written."],
  hublet_machines_dropped_total: ["counter", "Machines that were opened anew after a failure."],
  hublet_series_dropped_total: ["counter", "Reported values whose series was one too many."],
};

/** Brings a report here, and with it how much memory the module has taken where it comes from. */
export async function report(env: Env, { counters, gauges }: Report): Promise<void> {
  const memory: Report["gauges"][number] = ["hublet_module_memory_bytes", memoryTaken()];
  await env.METRICS.getByName(METRICS).report({ counters, gauges: [...gauges, memory] });
}

export class Metrics extends DurableObject<Env> {
  readonly #counters: Map<string, number>;
  readonly #gauges: Map<string, [value: number, at: number]>;
  #isSaving = false;
  #probed: { at: number; works: boolean } | undefined;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    const kept = state.storage.kv.get<Kept>(COUNTS);
    this.#counters = new Map(kept?.counters);
    this.#gauges = new Map(kept?.gauges.map(([name, value, at]) => [name, [value, at]]));
  }

  /** Takes what an object or an isolate has counted. */
  report({ counters, gauges }: Report): void {
    for (const [name, by] of counters) {
      const isKnown = this.#counters.has(name) || this.#counters.size < MOST_SERIES;
      if (isKnown) grow(this.#counters, name, by);
      else grow(this.#counters, "hublet_series_dropped_total", 1);
    }
    for (const [name, value] of gauges) {
      if (value === 0) this.#gauges.delete(name);
      else if (this.#gauges.has(name) || this.#gauges.size < MOST_SERIES) this.#gauges.set(name, [value, Date.now()]);
      else grow(this.#counters, "hublet_series_dropped_total", 1);
    }
    if (this.#isSaving) return;
    this.#isSaving = true;
    void this.ctx.storage.setAlarm(Date.now() + SAVED_AFTER);
  }

  override alarm(): void {
    this.#isSaving = false;
    this.#expire();
    const gauges = [...this.#gauges].map(([name, [value, at]]): [string, number, number] => [name, value, at]);
    this.ctx.storage.kv.put<Kept>(COUNTS, { counters: [...this.#counters], gauges });
  }

  /** Everything, as Prometheus reads it. */
  text(): string {
    this.#expire();
    const lines = new Map<string, string[]>();
    const values = [...this.#counters, ...[...this.#gauges].map(([name, [value]]): [string, number] => [name, value])];
    for (const [name, value] of values.sort(([one], [other]) => (one < other ? -1 : 1))) {
      const family = familyOf(name);
      lines.set(family, [...(lines.get(family) ?? []), `${name} ${value}`]);
    }
    const families = Object.entries(FAMILIES).map(([family, [type, help]]) =>
      [`# HELP ${family} ${help}`, `# TYPE ${family} ${type}`, ...(lines.get(family) ?? [])].join("\n"),
    );
    return `${families.join("\n")}\n`;
  }

  /** Whether a row can be written, made durable and read. */
  async probe(): Promise<boolean> {
    const now = Date.now();
    if (this.#probed !== undefined && now - this.#probed.at < PROBED_FOR) return this.#probed.works;
    const works = await this.#storageWorks(now).catch(() => false);
    this.#probed = { at: now, works };
    return works;
  }

  async #storageWorks(now: number): Promise<boolean> {
    this.ctx.storage.kv.put(PROBE, now);
    await this.ctx.storage.sync();
    return this.ctx.storage.kv.get(PROBE) === now;
  }

  #expire(): void {
    const now = Date.now();
    for (const [name, [, at]] of this.#gauges) if (now - at > GAUGE_LIFE) this.#gauges.delete(name);
  }
}

function familyOf(name: string): string {
  const bare = name.split("{", 1)[0] ?? name;
  return bare in FAMILIES ? bare : bare.replace(/_(bucket|sum|count)$/, "");
}
