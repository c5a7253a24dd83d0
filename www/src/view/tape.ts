import type { RoomEvent } from "hublet/browser";
import { html, nothing, svg, type SVGTemplateResult, type TemplateResult } from "lit-html";
import { ref } from "lit-html/directives/ref.js";
import { repeat } from "lit-html/directives/repeat.js";

import { shortId } from "../names";
import { keyOf } from "../state/log";
import type { Session } from "../state/session";
import { cell } from "./cell";
import { domino, dominoId, echo, head } from "./domino";
import { columnX, height, laneY, LINE, width } from "./measure";
import { follow, onScroll, windowOf } from "./scroll";

/** The room as a line: dominoes along the top, and below it a lane for each server with a thread from each event to where it came from. */
export function tape(session: Session): TemplateResult {
  const { servers } = session.lanes;
  const tall = height(servers.length);
  return html`
    <section class="tape" aria-label="The room as a line" style="--tall: ${tall}px">
      ${lanes(session)}
      <div class="tape-scroll" ${ref((element) => follow(session, element))} @scroll=${(event: Event) => onScroll(session, event)}>
        <svg width=${width(session.log)} height=${tall} role="listbox" aria-orientation="horizontal" aria-label="Events in the order of the log" @keydown=${(event: KeyboardEvent) => move(session, event)}>
          ${rails(session)} ${dominoes(session)} ${ahead(session)} ${refusals(session)}
        </svg>
      </div>
    </section>
  `;
}

/** Names stay in view while the line moves; the hub's mark glides to the lane of the hub. */
function lanes(session: Session): TemplateResult {
  const { servers } = session.lanes;
  const hub = servers.indexOf(session.room.hub);
  return html`<div class="lanes">
    <p class="lanes-line" style="top: ${LINE}px">the line</p>
    ${repeat(
      servers,
      (server) => server,
      (server, index) => {
        const name = session.nameOfServer(server);
        const ours = server === session.hublet.server;
        return html`<p class="lane-head" style="top: ${laneY(index)}px" title=${server}>${cell(session, server, name)}<span class="lane-name">${name}</span>${ours ? html`<span class="lane-note">this tab</span>` : nothing}</p>`;
      },
    )}
    ${hub < 0 ? nothing : html`<span class="hub-mark" style="transform: translateY(${laneY(hub)}px)">hub</span>`}
  </div>`;
}

/** The line itself in the colour of its hub, and the lanes, broken where a server was away. */
function rails(session: Session): SVGTemplateResult[] {
  const { servers } = session.lanes;
  const end = width(session.log);
  const drawn = [svg`<path class="rail" d=${`M0 ${LINE}H${end}`} />`];
  servers.forEach((server, index) => {
    const y = laneY(index);
    drawn.push(svg`<path class="lane-rail" d=${`M0 ${y}H${end}`} />`);
    for (const gap of session.lanes.gaps(server)) {
      const from = xOfTime(session, gap.from);
      const to = gap.to === undefined ? end : Math.max(xOfTime(session, gap.to), from + 24);
      drawn.push(svg`<g class="gap"><rect x=${from} y=${y - 7} width=${Math.max(0, to - from)} height="14" /><path d=${`M${from} ${y}H${to}`} /></g>`);
    }
  });
  return drawn;
}

function dominoes(session: Session): unknown {
  const { events } = session.log;
  const [from, to] = windowOf(session);
  const shown = events.slice(from, to).map((event, index) => ({ event, column: from + index }));
  return repeat(
    shown,
    ({ event }) => keyOf(event),
    ({ event, column }) => domino(session, event, column, events[column - 1]),
  );
}

/** What is still on its way has no place yet: it waits behind the head, in its sender's lane. */
function ahead(session: Session): unknown {
  const first = session.log.events.length;
  const { waiting, head: last } = session.log;
  return [head(session, first, last ? shortId(last.eventId) : "····"), repeat(waiting, keyOf, (event, index) => echo(session, event, first + index))];
}

function refusals(session: Session): unknown {
  const tall = height(session.lanes.servers.length);
  const newest = session.refusals.at(-1);
  return repeat(
    session.refusals,
    ({ number }) => number,
    (refusal) => {
      const { after, from, by, reason } = refusal;
      const [origin, end] = [from, by].map((server) => laneY(Math.max(session.lanes.servers.indexOf(server), 0)));
      const x = xOfPosition(session, after) + 8;
      const y = end ?? LINE;
      return svg`<g class="refusal" transform=${`translate(${x} ${y})`}>
        <title>${session.nameOfServer(by)} refused this: ${reason}</title>
        <path class="refusal-thread" d=${`M0 ${(origin ?? y) - y}V0`} />
        <circle r="10" /><path d="M-4-4l8 8M4-4l-8 8" />
        ${refusal === newest ? svg`<text x="10" y=${tall - y - 10} text-anchor="end">refused: ${reason}</text>` : nothing}
      </g>`;
    },
  );
}

/** The right edge of the last event that was sent before. Clocks differ, so this is where a time lies only roughly. */
function xOfTime(session: Session, time: number): number {
  return columnX(session.log.events.findLastIndex((event) => event.originServerTs <= time) + 1) - 8;
}

/** The right edge of the event at a position, or of the nearest one before it. */
function xOfPosition(session: Session, position: number): number {
  const first = session.log.events[0]?.position ?? 0;
  return columnX(Math.min(Math.max(position - first + 1, 0), session.log.events.length)) - 12;
}

const STEPS: Record<string, (at: number, last: number) => number> = {
  ArrowLeft: (at) => at - 1,
  ArrowRight: (at) => at + 1,
  Home: () => 0,
  End: (_, last) => last,
};

/** Arrow keys walk along the line. */
function move(session: Session, key: KeyboardEvent): void {
  const step = STEPS[key.key];
  if (!step) return;
  key.preventDefault();
  const { events } = session.log;
  const last = events.length - 1;
  const at = events.findIndex((event) => event.eventId === session.selected);
  const next = events[Math.min(Math.max(step(at < 0 ? last : at, last), 0), last)];
  if (next) focus(session, next);
}

function focus(session: Session, event: RoomEvent): void {
  session.select(event.eventId);
  requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById(dominoId(event))?.focus()));
}
