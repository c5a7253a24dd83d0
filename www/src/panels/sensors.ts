import "uplot/dist/uPlot.min.css";

import type { RoomEvent } from "hublet/browser";
import { html, nothing, render } from "lit-html";

import type { Panel } from "../view/panel";
import type { Session } from "../state/session";
import { Plot } from "./sensors/plot";
import { listen, type Source } from "./sensors/source";
import { latency, READING, Series, type Reading } from "./sensors/series";

/** Readings a second: each is an event in the room. */
const RATE = 4;

/** Publishes a sensor of this device as events in the room, and plots what all tabs publish, with the time that each reading took to come here. */
export const sensors: Panel = (place, session) => {
  const series = new Series();
  const plot = new Plot(session, series);
  let source: Source | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;
  const ending = new AbortController();

  const draw = (): void => {
    render(view(session, series, source, toggle), controls);
    plot.draw();
  };
  const take = (event: RoomEvent): void => {
    if (event.type === READING && event.status === "sent" && series.take(event)) draw();
  };
  const stop = (): void => {
    clearInterval(timer);
    source?.stop();
    source = undefined;
  };
  /** What cannot be sent now will not be in a moment either. */
  async function tick(): Promise<void> {
    if (!source || (await publish(session, source))) return;
    stop();
    draw();
  }
  async function toggle(): Promise<void> {
    if (source) stop();
    else {
      source = await listen();
      timer = setInterval(() => void tick(), 1000 / RATE);
    }
    draw();
  }

  const controls = document.createElement("div");
  place.append(plot.element, controls);
  session.log.events.forEach(take);
  session.room.addEventListener("event", ({ detail }) => take(detail), { signal: ending.signal });
  draw();
  return () => {
    stop();
    plot.end();
    ending.abort();
  };
};

async function publish(session: Session, source: Source): Promise<boolean> {
  const content: Reading = { source: source.name, unit: source.unit, value: Math.round(source.read() * 1000), at: Math.round((performance.timeOrigin + performance.now()) * 1000) };
  return (await session.attempt("The reading", session.room.send(READING, content))) !== undefined;
}

function view(session: Session, series: Series, source: Source | undefined, toggle: () => void): unknown {
  return html`
    <p class="panel-buttons">
      <button class="primary" @click=${toggle} aria-pressed=${source !== undefined}>${source ? "Stop publishing" : "Publish a sensor"}</button>
      ${source ? html`<span class=${source.synthetic ? "synthetic" : ""}>${source.name}</span>` : html`<span class="small">${RATE} readings a second, each an event on the line</span>`}
    </p>
    <ul class="readings" aria-label="Newest readings">
      ${[...series.senders].map(([sender, { last, times }]) => {
        const { median, worst } = latency(times);
        return html`<li>
          <span class="swatch" style="--colour: var(--server-${session.palette.of(sender.slice(sender.indexOf(":") + 1))})"></span>
          <strong>${session.nameOf(sender)}</strong> <span class=${last.source.startsWith("synthetic") ? "synthetic" : ""}>${last.source}</span>
          <output>${(last.value / 1000).toFixed(2)} ${last.unit}</output>
          <span class="latency">median ${median.toFixed(1)} ms, at most ${worst.toFixed(1)} ms, of ${times.length}</span>
        </li>`;
      })}
    </ul>
    ${series.senders.size === 0 ? html`<p class="hint">Nobody publishes yet. Publish here, and look from another tab.</p>` : nothing}
    <p class="small">The latency is from the reading to its place in this tab’s log. Between two machines it includes the difference of their clocks.</p>
  `;
}
