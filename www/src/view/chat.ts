import type { RoomEvent } from "hublet/browser";
import { html, nothing, type TemplateResult } from "lit-html";
import { ref } from "lit-html/directives/ref.js";
import { repeat } from "lit-html/directives/repeat.js";

import { serverOf } from "../names";
import { keyOf } from "../state/log";
import type { Session } from "../state/session";
import { cell } from "./cell";
import { composer } from "./composer";
import { markRead } from "./reading";
import { reveal } from "./scroll";

/** The conversation: messages, and what happened to the room, in the order of the line. */
export function chat(session: Session): TemplateResult {
  const lines = session.log.told.filter((event) => told(session, event));
  return html`
    <section class="chat" aria-label="Conversation">
      <div class="chat-scroll" tabindex="0" role="log" aria-label="Messages" aria-live="off" ${ref((element) => settle(session, element, lines.at(-1)))}>
        ${session.older === "more" ? html`<button class="quiet older" @click=${() => session.loadOlder()}>Older events</button>` : nothing}
        <ol>
          ${repeat(lines, keyOf, (event, index) => (event.type === "m.room.message" ? message(session, event, lines[index - 1]) : happening(session, event)))}
        </ol>
        <p class="typing">${typing(session)}</p>
      </div>
      ${composer(session)}
    </section>
  `;
}

function told(session: Session, event: RoomEvent): boolean {
  return event.type === "m.room.message" || session.tellingOf(event) !== undefined;
}

function happening(session: Session, event: RoomEvent): TemplateResult {
  return html`<li class="happening"><button class="quiet" @click=${() => show(session, event)}>${session.tellingOf(event)}</button></li>`;
}

function message(session: Session, event: RoomEvent, before: RoomEvent | undefined): TemplateResult {
  const name = session.nameOf(event.sender);
  const ours = event.sender === session.hublet.user;
  const goesOn = before?.type === "m.room.message" && before.sender === event.sender;
  const body = event.redacted || event.content.body === undefined ? html`<em>redacted</em>` : String(event.content.body);
  return html`<li class="message ${ours ? "ours" : ""} ${event.status} ${goesOn ? "goes-on" : ""} ${event.eventId === session.selected ? "chosen" : ""}"
    style="--colour: var(--server-${session.palette.of(serverOf(event.sender))})">
    ${goesOn ? html`<span class="cell small blank"></span>` : cell(session, serverOf(event.sender), name)}
    <div class="said">
      ${goesOn ? html`<span class="unseen">${name}: </span>` : html`<p class="who">${name}</p>`}
      <p class="body">${body}</p>
      ${event.status === "refused" ? html`<p class="reason">Refused: ${event.error ?? "no reason given"}</p>` : nothing}
    </div>
    ${state(session, event)}
  </li>`;
}

function state(session: Session, event: RoomEvent): TemplateResult {
  const readers = [...session.receipts].filter(([user, at]) => at === event.eventId && user !== session.hublet.user);
  const time = new Date(event.originServerTs).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const place = event.status === "sent" ? `#${session.numberOf(event)}` : event.status === "refused" ? "refused" : "sending…";
  return html`<p class="facts">
    ${readers.map(([user]) => html`<span class="reader" title="Read by ${session.nameOf(user)}">${cell(session, serverOf(user), session.nameOf(user))}<span class="unseen">read by ${session.nameOf(user)}</span></span>`)}
    <time datetime=${new Date(event.originServerTs).toISOString()}>${time}</time>
    <button class="place" @click=${() => show(session, event)} aria-label="Show ${place} on the line">${place}</button>
  </p>`;
}

function show(session: Session, event: RoomEvent): void {
  session.inspect(event.eventId);
  reveal(session, session.log.events.indexOf(event));
}

function typing(session: Session): string {
  const names = [...session.typing].map((user) => session.nameOf(user));
  return names.length === 0 ? "" : `${names.join(", ")} ${names.length === 1 ? "is" : "are"} typing…`;
}

const last = new WeakMap<Element, string>();

/** Stays at the newest message when one comes, unless a person has scrolled back; what is seen is marked as read. */
function settle(session: Session, element: Element | undefined, newest: RoomEvent | undefined): void {
  if (!element || !newest) return;
  const key = keyOf(newest);
  const known = last.get(element);
  const near = element.scrollHeight - element.scrollTop - element.clientHeight < 160;
  if (known === undefined || near || (known !== key && newest.sender === session.hublet.user)) {
    requestAnimationFrame(() => (element.scrollTop = element.scrollHeight));
    markRead(session);
  }
  last.set(element, key);
}
