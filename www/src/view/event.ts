import type { RoomEvent } from "hublet/browser";
import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";

import { hubOf, serverOf } from "../names";
import { CHECKS } from "../proof/checks";
import { fields } from "../proof/cover";
import { label } from "../proof/describe";
import type { Seal } from "../state/inspection";
import type { Session } from "../state/session";
import { cell } from "./cell";

/** The chosen event under the glass: its way, its checks, and which bytes each hash and each signature covers. */
export function event(session: Session): TemplateResult {
  const chosen = (session.selected ? session.log.find(session.selected) : undefined) ?? session.log.head;
  if (!chosen) return html`<p class="hint">Nothing has happened here yet.</p>`;
  return html`<article class="event-card" aria-label="The chosen event">
    ${title(session, chosen)} ${checks(chosen)} ${chosen.bytes.length > 0 ? bytes(session, chosen) : html`<p class="hint">It gets its hashes and signatures when the hub has placed it.</p>`}
  </article>`;
}

function title(session: Session, event: RoomEvent): TemplateResult {
  const sender = serverOf(event.sender);
  const hub = event.position === undefined ? undefined : hubOf(event);
  const number = session.numberOf(event);
  const place = number === undefined ? event.status : `#${number}`;
  return html`<header class="event-title">
    <h2><span class="event-place">${place}</span> ${label(event)} <code>${event.type}</code></h2>
    <p class="event-way">
      ${cell(session, sender, session.nameOf(event.sender))}<span>${session.nameOf(event.sender)}</span>
      ${hub === sender ? html`<span>the hub itself</span>` : hub ? html`<span aria-hidden="true">→</span><span class="unseen">placed by</span>${cell(session, hub, session.nameOfServer(hub))}<span>${session.nameOfServer(hub)}, the hub</span>` : nothing}
      <time datetime=${new Date(event.originServerTs).toISOString()}>${new Date(event.originServerTs).toLocaleTimeString()}</time>
    </p>
    ${event.error ? html`<p class="reason">${event.error}</p>` : nothing}
  </header>`;
}

function checks(event: RoomEvent): TemplateResult {
  return html`<ol class="checks" aria-label="Checks that this tab made, in order">
    ${CHECKS.map(({ check, name, asks }) => {
      const passed = event.checks.includes(check);
      return html`<li class=${passed ? "passed" : "open"} title="${asks}${passed ? "" : " Not made here."}"><span class="pip" aria-hidden="true"></span>${name}<span class="unseen">: ${passed ? "passed" : "not made here"}</span></li>`;
    })}
  </ol>`;
}

function bytes(session: Session, event: RoomEvent): TemplateResult {
  const { inspection } = session;
  const seals = inspection.of(event.eventId, (server) => session.nameOfServer(server));
  const { lit } = inspection;
  return html`
    <fieldset class="seals">
      <legend>Point at a hash or a signature to see the bytes that it covers</legend>
      ${repeat(
        seals,
        ({ key }) => key,
        (seal) => sealRow(session, seal, seal === lit),
      )}
    </fieldset>
    <p class="covers" role="status">${lit ? html`${lit.says} <strong>${lit.covers.length} of ${event.bytes.length} bytes.</strong>` : nothing}</p>
    <pre class="json" tabindex="0" aria-label="The event’s canonical bytes"><code>${fields(event.bytes, lit?.covers).map(
      (field) => html`<span class="json-field">${field.map(({ text, kind, covered }) => html`<span class="json-${kind} ${covered ? "covered" : ""}">${text}</span>`)}</span>`,
    )}</code></pre>
  `;
}

const VERDICTS = { holds: "holds", wrong: "wrong", unknown: "key not kept" };

function sealRow(session: Session, { key, name, value, verdict }: Seal, lit: boolean): TemplateResult {
  const { inspection } = session;
  return html`<label class="seal ${verdict} ${lit ? "lit" : ""}" @pointerenter=${() => inspection.point(key)} @pointerleave=${() => inspection.point(undefined)}>
    <input type="radio" name="seal" value=${key} .checked=${lit} @change=${() => inspection.choose(key)} />
    <span class="seal-name">${name}</span><code>${value.slice(0, 14)}…</code><span class="verdict">${VERDICTS[verdict]}</span>
  </label>`;
}
