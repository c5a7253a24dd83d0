import type { Session } from "../state/session";
import { COLUMN, width } from "./measure";

/**
 * Where the line is looked at. It stays at its head while new events come, unless a person has scrolled back; only what is in view, and a little on both sides, is drawn.
 */
interface View {
  element: HTMLElement | undefined;
  following: boolean;
  left: number;
  shown: number;
  drawn: number;
}

const BESIDE = 8;
const NEAR = 40;
const BUSY = 600;
const views = new WeakMap<Session, View>();

function viewOf(session: Session): View {
  const known = views.get(session);
  if (known) return known;
  const made: View = { element: undefined, following: true, left: 0, shown: innerWidth, drawn: 0 };
  views.set(session, made);
  return made;
}

/** The first column to draw and the one after the last. */
export function windowOf(session: Session): [number, number] {
  const view = viewOf(session);
  const left = view.following ? Math.max(0, width(session.log) - view.shown) : view.left;
  return [Math.max(0, Math.floor(left / COLUMN) - BESIDE), Math.ceil((left + view.shown) / COLUMN) + BESIDE];
}

/** Called after each drawing, with the element that scrolls. */
export function follow(session: Session, element: Element | undefined): void {
  const view = viewOf(session);
  if (!(element instanceof HTMLElement)) return;
  view.element = element;
  view.shown = element.clientWidth || innerWidth;
  queueMicrotask(() => settle(session, view, element));
}

export function onScroll(session: Session, event: Event): void {
  const view = viewOf(session);
  const { scrollLeft, clientWidth, scrollWidth } = event.currentTarget as HTMLElement;
  view.left = scrollLeft;
  view.shown = clientWidth;
  // While it glides towards a new head, being away from it is no wish of a person.
  if (scrollLeft + clientWidth >= scrollWidth - NEAR) view.following = true;
  else if (performance.now() - view.drawn > BUSY) view.following = false;
  if (scrollLeft < NEAR && session.older === "more" && !view.following) void session.loadOlder();
  session.changes.tell();
}

/** Brings an event into view: what is selected elsewhere is shown here too. */
export function reveal(session: Session, column: number): void {
  const view = viewOf(session);
  const middle = column * COLUMN - view.shown / 2;
  const seen = column * COLUMN > view.left + 20 && column * COLUMN < view.left + view.shown - COLUMN - 20;
  if (seen || !view.element) return;
  view.following = false;
  view.drawn = performance.now();
  view.element.scrollTo({ left: middle, behavior: calm() ? "instant" : "smooth" });
}

function settle(session: Session, view: View, element: HTMLElement): void {
  if (!view.following) return;
  const left = width(session.log) - element.clientWidth;
  if (left <= 0 || Math.abs(element.scrollLeft - left) < 2) return;
  const far = Math.abs(left - element.scrollLeft) > element.clientWidth;
  // One glide would cut the other short, and the head would be out of view all the time.
  const soon = performance.now() - view.drawn < BUSY;
  view.drawn = performance.now();
  element.scrollTo({ left, behavior: far || soon || calm() ? "instant" : "smooth" });
}

function calm(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
