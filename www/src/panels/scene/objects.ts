import type { StateEvent } from "hublet/browser";

import { serverOf } from "../../names";

export const OBJECT = "hublet.demo.object";
export const SHAPES = ["cube", "ball", "cone"] as const;
export type Shape = (typeof SHAPES)[number];

/** Half the floor's side, in centimetres: events hold whole numbers only. */
export const REACH = 300;

/** Something on the floor. */
export interface Thing {
  readonly key: string;
  readonly shape: Shape;
  readonly x: number;
  readonly z: number;
  /** The server of who placed it. */
  readonly server: string;
}

/** What stands on the floor by the room's state. Other clients write what they like: what has not the form, or lies outside, is not shown. */
export function objectsOf(state: readonly StateEvent[]): Thing[] {
  return state.flatMap(({ type, stateKey, sender, content }) => {
    if (type !== OBJECT) return [];
    const { shape, x, z } = content as Record<string, unknown>;
    return isShape(shape) && isPlace(x) && isPlace(z) ? [{ key: stateKey, shape, x, z, server: serverOf(sender) }] : [];
  });
}

export function isPlace(value: unknown): value is number {
  return typeof value === "number" && Math.abs(value) <= REACH;
}

function isShape(value: unknown): value is Shape {
  return SHAPES.some((shape) => shape === value);
}
