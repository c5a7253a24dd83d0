import { html, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";

import type { App } from "../app";
import type { Session } from "../state/session";
import { bench } from "./bench";
import { chat } from "./chat";
import { header } from "./header";
import { side, sideOf } from "./side";
import { tape } from "./tape";

/** A room: the line across the whole width, the conversation and one more thing below it. */
export function room(app: App, session: Session): TemplateResult {
  return html`
    <div class="room">
      ${header(app, session)} ${bench(session)} ${tape(session)}
      <main class="below" data-side=${sideOf(session)}>${chat(session)} ${side(session)} ${notices(session)}</main>
      <p class="unseen" aria-live="polite">${session.notices.spoken}</p>
    </div>
  `;
}

function notices(session: Session): TemplateResult {
  return html`<ul class="notices" aria-label="Notices">
    ${repeat(
      session.notices.shown,
      ({ number }) => number,
      ({ number, kind, text }) => html`<li class="notice ${kind}"><span>${text}</span><button class="quiet" @click=${() => session.notices.close(number)} aria-label="Close this notice">×</button></li>`,
    )}
  </ul>`;
}
