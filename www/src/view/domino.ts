import type { RoomEvent } from "hublet/browser";
import { nothing, svg, type SVGTemplateResult } from "lit-html";

import { CHECKS } from "../proof/checks";
import { label } from "../proof/describe";
import { hubOf, serverOf, shortId } from "../names";
import { keyOf } from "../state/log";
import type { Session } from "../state/session";
import { columnX, DOMINO, LINE, laneY } from "./measure";

const HALF = DOMINO.width / 2;
const ABOVE = LINE - DOMINO.height / 2;
const BELOW = LINE + DOMINO.height / 2;

/** An event in its place. The left half bears the hash of the event before, the right half its own; a pip below stands for each check that it passed. */
export function domino(session: Session, event: RoomEvent, column: number, before: RoomEvent | undefined): SVGTemplateResult {
  const { selected } = session;
  const chosen = event.eventId === selected;
  const next = selected !== undefined && session.log.find(selected)?.prevEvents.includes(event.eventId);
  const linked = before !== undefined && event.prevEvents.includes(before.eventId);
  const last = event === session.log.head;
  const sender = serverOf(event.sender);
  return svg`<g id=${dominoId(event)} class="event ${chosen ? "chosen" : ""} ${next ? "named" : ""} ${event.redacted ? "redacted" : ""}"
      transform=${`translate(${columnX(column)} 0)`} style="--colour: var(--server-${session.palette.of(sender)}); --hub: var(--server-${session.palette.of(hubOf(event))})"
      role="option" tabindex=${chosen || (selected === undefined && last) ? 0 : -1} aria-selected=${chosen} aria-label=${words(session, event)}
      @click=${() => session.inspect(event.eventId)} @focus=${() => session.select(event.eventId)} @pointerenter=${() => session.select(event.eventId)}>
    ${thread(session, sender)}
    ${linked ? svg`<path class="link" d=${`M${-16} ${LINE}H0`} />` : nothing}
    <g class="arriving">
      <rect class="body" y=${ABOVE} width=${DOMINO.width} height=${DOMINO.height} rx="6" />
      <rect class="own-half" x=${HALF} y=${ABOVE + 3} width=${HALF - 3} height=${DOMINO.height - 6} rx="4" />
      <text class="prev" x=${HALF / 2 + 1} y=${LINE + 4.5}>${event.prevEvents[0] ? shortId(event.prevEvents[0]) : "····"}</text>
      <text class="own" x=${HALF * 1.5 - 1} y=${LINE + 4.5}>${shortId(event.eventId)}</text>
      <circle class="stamp" cx=${DOMINO.width - 1} cy=${ABOVE + 1} r="4.5" />
      <text class="label" x=${HALF} y=${ABOVE - 8}>${label(event)}</text>
      ${pips(event)}
    </g>
    <text class="position" x=${HALF} y=${BELOW + 25}>${session.numberOf(event)}</text>
  </g>`;
}

/** The place of the next event: its left half is known already. */
export function head(session: Session, column: number, before: string): SVGTemplateResult {
  return svg`<g class="head" transform=${`translate(${columnX(column)} 0)`} style="--hub: var(--server-${session.palette.of(session.room.hub)})" aria-hidden="true">
    <path class="link" d=${`M${-16} ${LINE}H0`} />
    <rect class="body" y=${ABOVE} width=${DOMINO.width} height=${DOMINO.height} rx="6" />
    <text class="prev" x=${HALF / 2 + 1} y=${LINE + 4.5}>${before}</text>
    <text class="label" x=${HALF} y=${ABOVE - 8}>next</text>
  </g>`;
}

/** One of ours that has no place yet. */
export function echo(session: Session, event: RoomEvent, column: number): SVGTemplateResult {
  const lane = Math.max(session.lanes.servers.indexOf(serverOf(event.sender)), 0);
  const y = laneY(lane);
  return svg`<g class="echo" transform=${`translate(${columnX(column)} 0)`} style="--colour: var(--server-${session.palette.of(serverOf(event.sender))})">
    <title>${label(event)}: on its way</title>
    <path class="thread" d=${`M${HALF} ${BELOW + 34}V${y}`} />
    <rect x=${HALF - 17} y=${y - 9} width="34" height="18" rx="4" />
    <text x=${HALF} y=${y + 4}>···</text>
  </g>`;
}

export function dominoId(event: RoomEvent): string {
  return `domino-${event.position ?? keyOf(event)}`;
}

function thread(session: Session, sender: string): SVGTemplateResult | typeof nothing {
  const lane = session.lanes.servers.indexOf(sender);
  if (lane < 0) return nothing;
  const y = laneY(lane);
  return svg`<path class="thread" d=${`M${HALF} ${BELOW + 31}V${y - 5}`} /><circle class="origin" cx=${HALF} cy=${y} r="5" />`;
}

function pips(event: RoomEvent): SVGTemplateResult[] {
  const step = 9;
  const from = HALF - ((CHECKS.length - 1) * step) / 2;
  return CHECKS.map(({ check }, index) => svg`<circle class=${event.checks.includes(check) ? "pip" : "pip open"} cx=${from + index * step} cy=${BELOW + 9} r="2.5" />`);
}

function words(session: Session, event: RoomEvent): string {
  const hub = session.nameOfServer(hubOf(event));
  return `${session.numberOf(event)}: ${label(event)} from ${session.nameOf(event.sender)}, placed by ${hub}, ${event.checks.length} of ${CHECKS.length} checks`;
}
