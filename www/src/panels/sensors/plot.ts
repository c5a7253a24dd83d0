import uPlot from "uplot";

import { serverOf } from "../../names";
import type { Session } from "../../state/session";
import type { Series } from "./series";

/** How much of the past is shown, in seconds. */
const SPAN = 30;
const HEIGHT = 220;

/** A live plot, a curve a sender in the colour of its server. It is made anew when a sender comes or the colours change. */
export class Plot {
  readonly element = document.createElement("div");
  private plot: uPlot | undefined;
  private made = "";
  private readonly resizing = new ResizeObserver(() => this.plot?.setSize({ width: this.element.clientWidth, height: HEIGHT }));

  constructor(
    private readonly session: Session,
    private readonly series: Series,
  ) {
    this.element.className = "plot";
    this.resizing.observe(this.element);
  }

  draw(): void {
    const { senders } = this.series;
    if (senders.size === 0) return;
    const form = [...senders.keys(), colour("--ink")].join();
    if (form !== this.made) this.make(form);
    const newest = Math.max(...[...senders.values()].map(({ seconds }) => seconds.at(-1) ?? 0));
    const tables: uPlot.AlignedData[] = [...senders.values()].map(({ seconds, values }) => [seconds, values]);
    this.plot?.setData(uPlot.join(tables), false);
    this.plot?.redraw(true);
    this.plot?.setScale("x", { min: newest - SPAN, max: newest });
  }

  end(): void {
    this.resizing.disconnect();
    this.plot?.destroy();
  }

  private make(form: string): void {
    this.made = form;
    this.plot?.destroy();
    const axis: uPlot.Axis = { stroke: colour("--ink-2"), grid: { stroke: colour("--rule"), width: 1 }, ticks: { stroke: colour("--rule"), width: 1 }, font: `11px ${colour("--mono")}` };
    const curves = [...this.series.senders.keys()].map((sender): uPlot.Series => ({
      label: this.session.nameOf(sender),
      stroke: colour(`--server-${this.session.palette.of(serverOf(sender))}`),
      width: 2,
      points: { show: false },
      spanGaps: true,
    }));
    const options: uPlot.Options = {
      width: this.element.clientWidth || 320,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: true, auto: false } },
      axes: [{ ...axis, space: 70, values: (_, ticks) => ticks.map(clock) }, { ...axis, size: 44 }],
      series: [{}, ...curves],
    };
    this.plot = new uPlot(options, [[]], this.element);
  }
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}

/** A style's colour as the canvas understands it: `light-dark()` is resolved on an element. */
function colour(name: string): string {
  if (name === "--mono") return getComputedStyle(document.documentElement).getPropertyValue(name);
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
