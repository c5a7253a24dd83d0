import { html, render } from "lit-html";

import type { Panel } from "../view/panel";
import { serverOf } from "../names";
import type { Session } from "../state/session";
import { Avatars } from "./scene/avatars";
import { OBJECT, objectsOf, SHAPES, type Shape } from "./scene/objects";
import { Stage } from "./scene/stage";
import { Walk } from "./scene/walk";

/** A floor that the room shares. Objects are state events, so they stay; where everybody stands is told by data that nobody keeps. */
export const scene: Panel = (place, session) => {
  const ending = new AbortController();
  const { signal } = ending;
  const stage = new Stage((server) => session.palette.of(server), signal);
  const avatars = new Avatars(session, signal, draw);
  const walk = new Walk(stage.element, signal, () => {
    avatars.place(walk.spot);
    draw();
  });

  function draw(): void {
    stage.show(avatars.all, objectsOf(session.state));
    render(view(session, avatars, walk), controls);
  }
  const controls = document.createElement("div");
  place.append(stage.element, controls);
  session.loadState().then(draw, () => undefined);
  session.room.addEventListener("state", ({ detail }) => void (detail.type === OBJECT && session.loadState().then(draw)), { signal });
  avatars.place(walk.spot);
  draw();
  return () => ending.abort();
};

const TURNS = [
  { key: "ArrowLeft", sign: "↺", name: "Turn left" },
  { key: "ArrowUp", sign: "↑", name: "Walk ahead" },
  { key: "ArrowDown", sign: "↓", name: "Walk back" },
  { key: "ArrowRight", sign: "↻", name: "Turn right" },
] as const;

function view(session: Session, avatars: Avatars, walk: Walk): unknown {
  const objects = objectsOf(session.state);
  return html`
    <p class="panel-buttons">
      ${TURNS.map(
        ({ key, sign, name }) =>
          html`<button aria-label=${name} title=${name} @pointerdown=${() => walk.press(key)} @pointerup=${() => walk.release(key)} @pointerleave=${() => walk.release(key)} @click=${(event: MouseEvent) => event.detail === 0 && walk.nudge(key)}>${sign}</button>`,
      )}
      <span class="rule" aria-hidden="true"></span>
      ${SHAPES.map((shape) => html`<button @click=${() => put(session, walk, shape)}>Place a ${shape}</button>`)}
      <button ?disabled=${objects.length === 0} @click=${() => takeNearest(session, walk)}>Take the nearest away</button>
    </p>
    <ul class="avatars" aria-label="Who stands where">
      ${avatars.all.map(
        ({ user, x, z }) => html`<li><span class="swatch" style="--colour: var(--server-${session.palette.of(serverOf(user))})"></span>${session.nameOf(user)} <output>${(x / 100).toFixed(1)}, ${(z / 100).toFixed(1)}</output></li>`,
      )}
      <li>${objects.length} ${objects.length === 1 ? "object" : "objects"}</li>
    </ul>
    <p class="small">Focus the scene and walk with the arrow keys. Objects are state events on the line; steps are ephemeral and leave no trace.</p>
  `;
}

function put(session: Session, walk: Walk, shape: Shape): void {
  const { x, z } = walk.ahead;
  void session.attempt("The object", session.room.setState(OBJECT, crypto.randomUUID().slice(0, 8), { shape, x, z }));
}

/** State cannot be taken back, only replaced: an empty content means that nothing is there. */
function takeNearest(session: Session, walk: Walk): void {
  const { x, z } = walk.spot;
  const distance = (object: { x: number; z: number }): number => Math.hypot(object.x - x, object.z - z);
  const nearest = objectsOf(session.state).sort((a, b) => distance(a) - distance(b))[0];
  if (nearest) void session.attempt("The object", session.room.setState(OBJECT, nearest.key, {}));
}
