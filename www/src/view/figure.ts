import { html, svg, type SVGTemplateResult, type TemplateResult } from "lit-html";

/** The idea in one drawing: two servers hand events to the hub, which lays them on one line; the halves of neighbours bear the same letters. */
const EVENTS: readonly { id: string; lane: 0 | 1; label: string }[] = [
  { id: "q7Xe", lane: 0, label: "create" },
  { id: "Vt2k", lane: 1, label: "member" },
  { id: "m9Rs", lane: 1, label: "message" },
  { id: "aH4w", lane: 0, label: "message" },
  { id: "Zc6n", lane: 1, label: "message" },
];
const STEP = 150;
const LEFT = 64;
const LINE = 62;
const LANES = [128, 168] as const;
const COLOURS = [0, 4] as const;

export function figure(): TemplateResult {
  return html`<svg class="figure" viewBox="0 0 760 190" role="img" aria-label="Two servers, one of them the hub. Their events lie on one line like dominoes: the left half of each bears the hash of the one before.">
    <path class="line" d="M0 ${LINE}H760" />
    <path class="lane" d="M0 ${LANES[0]}H760M0 ${LANES[1]}H760" />
    <text class="lane-name" x="0" y=${LANES[0] - 7}>a tab, the hub</text>
    <text class="lane-name" x="0" y=${LANES[1] - 7}>another tab</text>
    ${EVENTS.map(event)}
  </svg>`;
}

function event({ id, lane, label }: (typeof EVENTS)[number], index: number): SVGTemplateResult {
  const x = LEFT + index * STEP;
  const y = LANES[lane];
  return svg`<g style="--at: ${index}; --colour: var(--server-${COLOURS[lane]})">
    <path class="thread" d="M${x + 48} ${LINE + 20}V${y}" />
    <circle class="origin" cx=${x + 48} cy=${y} r="5" />
    <g class="domino">
      <rect x=${x} y=${LINE - 20} width="96" height="40" rx="7" />
      <path d="M${x + 48} ${LINE - 12}V${LINE + 12}" />
      <text x=${x + 24} y=${LINE + 4.5} class="before">${EVENTS[index - 1]?.id ?? "····"}</text>
      <text x=${x + 72} y=${LINE + 4.5}>${id}</text>
      <text x=${x + 48} y=${LINE - 30} class="label">${label}</text>
    </g>
  </g>`;
}
