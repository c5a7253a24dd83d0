import { html, type TemplateResult } from "lit-html";

import { symbol } from "../names";
import type { Session } from "../state/session";

/** A server or its user as a cell with two letters, in the colour that it has everywhere. Beside its name, so it is silent. */
export function cell(session: Session, server: string, name: string, size: "small" | "large" = "small"): TemplateResult {
  const away = session.reaches(server) ? "" : "away";
  return html`<span class="cell ${size} ${away}" style="--colour: var(--server-${session.palette.of(server)})" aria-hidden="true">${symbol(name)}</span>`;
}
