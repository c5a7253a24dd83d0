import { html, nothing, type TemplateResult } from "lit-html";

import type { App } from "../app";
import type { Session } from "../state/session";
import { cell } from "./cell";
import { openInvite } from "./invite";
import { themeSwitch } from "./page";

export function header(app: App, session: Session): TemplateResult {
  const { room } = session;
  return html`
    <header class="top">
      <button class="wordmark" @click=${() => app.leaveScreen()} title="All rooms">hublet</button>
      <h1>${room.name ?? "A room"} <code title=${room.roomId}>${room.roomId.slice(0, 7)}</code></h1>
      ${status(session)} ${members(session)}
      <button class="primary" @click=${() => openInvite(session)}>Invite</button>
      ${themeSwitch(app)}
    </header>
  `;
}

function status(session: Session): TemplateResult {
  const { room, online } = session;
  const reached = session.reaches(room.hub);
  const [state, words] = !online ? ["off", "Offline"] : room.isHub ? ["on", "This tab is the hub"] : reached ? ["on", `Hub: ${session.nameOfServer(room.hub)}`] : ["wait", "Looking for the hub"];
  return html`<p class="status ${state}" role="status"><span class="lamp" aria-hidden="true"></span>${words}</p>`;
}

function members(session: Session): TemplateResult {
  return html`<ul class="members" aria-label="In this room">
    ${session.joined.map((member) => {
      const name = session.nameOf(member.user);
      const ours = member.user === session.hublet.user;
      const presence = ours ? (session.online ? "you" : "you, offline") : session.reaches(member.server) ? "here" : "away";
      const words = `${name}: ${presence}${member.server === session.room.hub ? ", the hub" : ""}`;
      return html`<li title="${words}&#10;${member.user}">${cell(session, member.server, name)}<span class="unseen">${words}</span>${member.server === session.room.hub ? html`<span class="crown" aria-hidden="true">hub</span>` : nothing}</li>`;
    })}
  </ul>`;
}
