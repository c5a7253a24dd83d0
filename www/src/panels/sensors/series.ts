import type { RoomEvent } from "hublet/browser";

export const READING = "hublet.demo.reading";

/** The content of a reading. Events hold whole numbers only: thousandths of the unit, and microseconds since the epoch. */
export interface Reading {
  readonly source: string;
  readonly unit: string;
  readonly value: number;
  readonly at: number;
}

export interface Sender {
  last: Reading;
  /** Seconds since the epoch, and values in the unit. */
  readonly seconds: number[];
  readonly values: number[];
  /** How long the newest readings took, in milliseconds: only those that came while this panel was open. */
  readonly times: number[];
}

/** How much is kept of each sender. */
const KEPT = 600;
/** A reading that is older than this when it is seen was not waited for. */
const LIVE = 30_000;

/** What has been published, sender by sender. */
export class Series {
  readonly senders = new Map<string, Sender>();
  private readonly seen = new Set<string>();

  /** Whether it was a reading that had not been seen. */
  take(event: RoomEvent): boolean {
    const reading = readingOf(event.content);
    if (!reading || this.seen.has(event.eventId)) return false;
    this.seen.add(event.eventId);
    const sender = this.senders.get(event.sender) ?? { last: reading, seconds: [], values: [], times: [] };
    this.senders.set(event.sender, sender);
    sender.last = reading;
    sender.seconds.push(reading.at / 1_000_000);
    sender.values.push(reading.value / 1000);
    const took = performance.timeOrigin + performance.now() - reading.at / 1000;
    if (took < LIVE) sender.times.push(took);
    for (const list of [sender.seconds, sender.values, sender.times]) list.splice(0, list.length - KEPT);
    return true;
  }
}

export function latency(times: readonly number[]): { median: number; worst: number } {
  const sorted = [...times].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1] ?? 0, worst: sorted.at(-1) ?? 0 };
}

/** Other clients write what they like: what has not this form is no reading. */
function readingOf(content: unknown): Reading | undefined {
  const { source, unit, value, at } = content as Partial<Record<keyof Reading, unknown>>;
  return typeof source === "string" && typeof unit === "string" && Number.isSafeInteger(value) && Number.isSafeInteger(at) ? (content as Reading) : undefined;
}
