import { html, type TemplateResult } from "lit-html";
import { ref } from "lit-html/directives/ref.js";
import { keyed } from "lit-html/directives/keyed.js";

import { messageOf, type Session, type Side } from "../state/session";

export type PanelName = Exclude<Side, "chat" | "event">;

/** A panel draws itself into an element of its own and hands back how it ends. */
export type Panel = (place: HTMLElement, session: Session) => () => void;

/** Each with what it needs is loaded when it is opened for the first time. */
const PANELS: Record<PanelName, () => Promise<Panel>> = {
  sensors: async () => (await import("../panels/sensors")).sensors,
  call: async () => (await import("../panels/call")).call,
  scene: async () => (await import("../panels/scene")).scene,
};

interface Open {
  readonly name: PanelName;
  readonly place: HTMLElement;
  end: (() => void) | undefined;
}

const opened = new WeakMap<Session, Open>();

export function panel(session: Session, name: PanelName): TemplateResult {
  return html`${keyed(name, html`<div class="panel panel-${name}" ${ref((element) => mount(session, name, element))}></div>`)}`;
}

function mount(session: Session, name: PanelName, element: Element | undefined): void {
  const known = opened.get(session);
  if (!(element instanceof HTMLElement)) {
    // A panel that is left goes on no longer, unless it has been replaced already.
    if (known?.name === name && !known.place.isConnected) close(session, known);
    return;
  }
  if (known?.place === element) return;
  if (known) close(session, known);
  const open: Open = { name, place: element, end: undefined };
  opened.set(session, open);
  void load(session, open);
}

async function load(session: Session, open: Open): Promise<void> {
  open.place.textContent = "Loading…";
  try {
    const start = await PANELS[open.name]();
    if (opened.get(session) !== open) return;
    open.place.textContent = "";
    open.end = start(open.place, session);
    session.signal.addEventListener("abort", () => close(session, open), { once: true });
  } catch (error) {
    open.place.textContent = `This panel could not be opened: ${messageOf(error)}`;
  }
}

function close(session: Session, open: Open): void {
  open.end?.();
  open.end = undefined;
  if (opened.get(session) === open) opened.delete(session);
}
