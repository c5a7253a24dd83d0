import { html, nothing, type TemplateResult } from "lit-html";

import { mayTakeHub, offerHub, takeHub } from "../state/hub";
import type { Session } from "../state/session";

/** What a visitor may try: pull the plug, spoil bytes on their way, hand the room over. */
export function bench(session: Session): TemplateResult {
  const others = session.joined.filter((member) => member.server !== session.hublet.server);
  return html`
    <div class="bench" role="toolbar" aria-label="Experiments">
      <button class="switch" role="switch" aria-checked=${session.online} @click=${() => plug(session)}><span class="knob" aria-hidden="true"></span>${session.online ? "Online" : "Offline"}</button>
      <span class="rule" aria-hidden="true"></span>
      <span class="bench-label" id="tamper">Flip a bit in flight</span>
      <button @click=${() => tamper(session, "event")} aria-describedby="tamper" ?disabled=${session.armed !== undefined || others.length === 0} aria-pressed=${session.armed === "event"}>in an event</button>
      <button @click=${() => tamper(session, "request")} aria-describedby="tamper" ?disabled=${session.armed !== undefined || others.length === 0} aria-pressed=${session.armed === "request"}>in a request</button>
      ${session.armed ? html`<span class="armed" role="status">Armed: the next thing that you send is spoiled on its way</span>` : nothing}
      ${transfer(session)}
      ${traffic(session)}
    </div>
  `;
}

function transfer(session: Session): TemplateResult | typeof nothing {
  const { room, hublet } = session;
  const others = [...new Set(session.joined.map((member) => member.server))].filter((server) => server !== hublet.server);
  if (room.isHub && others.length > 0) {
    return html`<span class="rule" aria-hidden="true"></span>
      ${others.map((server) => html`<button @click=${() => hand(session, server)} ?disabled=${!session.reaches(server)}>Hand the hub to ${session.nameOfServer(server)}</button>`)}`;
  }
  if (mayTakeHub(session)) return html`<span class="rule" aria-hidden="true"></span><button @click=${() => takeHub(session)}>Take the hub</button>`;
  return nothing;
}

function traffic(session: Session): TemplateResult {
  const { requests, bytesIn, bytesOut, lastMs } = session.sums;
  return html`<p class="sums" title="Over all links of this tab’s server since the page was opened">
    <span>${requests} requests</span><span>↑ ${kilobytes(bytesOut)}</span><span>↓ ${kilobytes(bytesIn)}</span>${lastMs === undefined ? nothing : html`<span>${lastMs.toFixed(lastMs < 10 ? 1 : 0)} ms</span>`}
  </p>`;
}

async function plug(session: Session): Promise<void> {
  await session.attempt("The links", session.online ? session.hublet.goOffline() : session.hublet.goOnline());
  session.changes.tell();
}

async function tamper(session: Session, where: "event" | "request"): Promise<void> {
  session.armed = where;
  session.changes.tell();
  await session.attempt("Tampering", session.hublet.tamper(where));
}

/** Consent goes into the log; the other tab then asks for the room and becomes its hub. */
async function hand(session: Session, server: string): Promise<void> {
  await session.attempt("Handing the hub over", offerHub(session, server));
}

function kilobytes(bytes: number): string {
  return bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(bytes < 100_000 ? 1 : 0)} kB`;
}
