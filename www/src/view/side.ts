import { html, nothing, type TemplateResult } from "lit-html";

import type { Side, Session } from "../state/session";
import { event } from "./event";
import { panel } from "./panel";

const TABS: readonly { side: Side; name: string }[] = [
  { side: "chat", name: "Chat" },
  { side: "event", name: "Event" },
  { side: "sensors", name: "Sensors" },
  { side: "call", name: "Call" },
  { side: "scene", name: "Scene" },
];

/** What stands beside the conversation: the chosen event, or one of the panels. On narrow screens the conversation is a tab too. */
export function side(session: Session): TemplateResult {
  const side = sideOf(session);
  return html`
    <section class="side" aria-label="Beside the conversation">
      <div class="tabs" role="tablist" aria-label="Beside the conversation" @keydown=${(key: KeyboardEvent) => move(session, key)}>
        ${tabs().map(
          (tab) =>
            html`<button role="tab" id="tab-${tab.side}" class="tab-${tab.side}" aria-selected=${side === tab.side} aria-controls="side-panel" tabindex=${side === tab.side ? 0 : -1} @click=${() => open(session, tab.side)}>${tab.name}${tab.side === "call" && side !== "call" && session.isRinging ? html`<span class="ringing">rings</span>` : nothing}</button>`,
        )}
      </div>
      <div id="side-panel" class="side-panel" role="tabpanel" aria-labelledby="tab-${side}" tabindex="-1">${side === "chat" ? nothing : side === "event" ? event(session) : panel(session, side)}</div>
    </section>
  `;
}

/** Where there is room for both, the conversation is always there. */
export function sideOf(session: Session): Side {
  return session.side === "chat" && !narrow.matches ? "event" : session.side;
}

const narrow = matchMedia("(max-width: 820px)");

function tabs(): readonly { side: Side; name: string }[] {
  return narrow.matches ? TABS : TABS.slice(1);
}

function open(session: Session, side: Side): void {
  session.side = side;
  session.changes.tell();
}

function move(session: Session, key: KeyboardEvent): void {
  const step = key.key === "ArrowRight" ? 1 : key.key === "ArrowLeft" ? -1 : 0;
  if (step === 0) return;
  const all = tabs();
  const at = all.findIndex(({ side }) => side === sideOf(session));
  const next = all[(at + step + all.length) % all.length];
  if (!next) return;
  open(session, next.side);
  requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById(`tab-${next.side}`)?.focus()));
}
