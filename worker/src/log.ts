// One line of JSON for each thing that an operator may have to know: when, where, what, and IDs. What people say to each other never stands in it, so neither do
// texts that quote a request or an event.

export type Level = "info" | "warn" | "error";

type Details = Record<string, string | number | boolean | undefined>;

/** Lines of one kind within `WINDOW`; what is above is counted instead, so that a flood of requests is no flood of lines. */
const MOST = 100;
const WINDOW = 10_000;

interface Window {
  start: number;
  lines: number;
}

const windows = new Map<string, Window>();

export function log(level: Level, what: string, details: Details = {}): void {
  const now = Date.now();
  const window = windows.get(what);
  if (window !== undefined && now - window.start < WINDOW) {
    window.lines += 1;
    if (window.lines > MOST) return;
  } else {
    const suppressed = (window?.lines ?? 0) - MOST;
    if (suppressed > 0) write("warn", "lines suppressed", { of: what, lines: suppressed }, now);
    windows.set(what, { start: now, lines: 1 });
  }
  write(level, what, details, now);
}

function write(level: Level, what: string, details: Details, now: number): void {
  console[level](JSON.stringify({ level, at: new Date(now).toISOString(), what, ...details }));
}

/** Why something of ours failed, for a line. */
export function reason(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
