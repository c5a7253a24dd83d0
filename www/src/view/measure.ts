import type { Log } from "../state/log";

/** Where things lie on the drawing of the line, in pixels. */
export const COLUMN = 100;
export const DOMINO = { width: 84, height: 36 };
export const LINE = 58;
const LEFT = 20;
const LANE = 34;
const FIRST_LANE = 128;
/** Free space after the last thing that is drawn. */
const AHEAD = 8;

export function columnX(column: number): number {
  return LEFT + column * COLUMN;
}

export function laneY(lane: number): number {
  return FIRST_LANE + lane * LANE;
}

export function height(lanes: number): number {
  return laneY(Math.max(lanes, 1) - 1) + 38;
}

export function width(log: Log): number {
  return columnX(log.events.length + Math.max(log.waiting.length, 1)) + AHEAD;
}
