// The time by which machines live: the platform's. On a server in development an operator may move it, so that tests need not wait for hours: what is said is
// how far it is ahead, for the whole isolate.

/** How far machines' time is ahead of the platform's, in milliseconds; nothing where nobody has said. */
let offset: number | undefined;

/** An alarm is set by the platform's time, which does not jump with ours: once ours was moved, alarms ring this often and look. */
const LOOK = 250;

export function now(): number {
  return Date.now() + (offset ?? 0);
}

/** Moves the time by which machines live. */
export function moveClock(ahead: number): void {
  offset = ahead;
}

/** When to ring for that time of ours, by the platform's clock. Whoever is rung for too early asks again. */
export function ringAt(at: number): number {
  return offset === undefined ? at : Math.min(at - offset, Date.now() + LOOK);
}
