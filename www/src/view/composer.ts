import { html, type TemplateResult } from "lit-html";

import type { Session } from "../state/session";

/** Typing is told anew after this long, and taken back after a rest of this long. */
const REST = 4000;
const typing = new WeakMap<Session, { told: number; end: ReturnType<typeof setTimeout> }>();

export function composer(session: Session): TemplateResult {
  return html`<form class="composer" @submit=${(event: SubmitEvent) => send(session, event)}>
    <label class="unseen" for="message">Message</label>
    <input id="message" name="message" autocomplete="off" maxlength="4000" enterkeyhint="send" placeholder=${session.online ? "Message" : "Message, kept until you come back"} @input=${() => tell(session)} />
    <button class="primary">Send</button>
  </form>`;
}

async function send(session: Session, event: SubmitEvent): Promise<void> {
  event.preventDefault();
  const input = (event.currentTarget as HTMLFormElement).elements.namedItem("message");
  if (!(input instanceof HTMLInputElement) || input.value.trim() === "") return;
  const body = input.value.trim();
  input.value = "";
  stop(session);
  const sent = await session.attempt("The message", session.room.sendMessage(body));
  if (!sent && input.value === "") input.value = body;
}

function tell(session: Session): void {
  const known = typing.get(session);
  clearTimeout(known?.end);
  const now = performance.now();
  const due = known === undefined || now - known.told > REST;
  if (due) say(session, true);
  typing.set(session, { told: due ? now : known.told, end: setTimeout(() => stop(session), REST) });
}

function stop(session: Session): void {
  const known = typing.get(session);
  if (!known) return;
  clearTimeout(known.end);
  typing.delete(session);
  say(session, false);
}

/** Nobody is helped by hearing that a notice of typing was lost. */
function say(session: Session, isTyping: boolean): void {
  if (session.online) session.room.typing(isTyping).catch(() => undefined);
}
