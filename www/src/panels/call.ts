import { html, nothing, render } from "lit-html";

import type { Panel } from "../view/panel";
import type { Session } from "../state/session";
import { Call, type Stage } from "./call/call";

/** Voice and video with one other tab. The offer, the answer and the routes are events in the room; sound and picture go from tab to tab. */
export const call: Panel = (place, session) => {
  const videos = { theirs: video("theirs"), ours: video("ours") };
  const call = new Call(session, () => {
    videos.theirs.srcObject = call.theirs ?? null;
    videos.ours.srcObject = call.ours ?? null;
    draw();
  });
  const draw = (): void => {
    render(view(session, call, videos), place);
  };
  draw();
  call.listen();
  return () => call.end();
};

function video(whose: "ours" | "theirs"): HTMLVideoElement {
  const element = document.createElement("video");
  Object.assign(element, { autoplay: true, playsInline: true, muted: whose === "ours", className: whose });
  element.setAttribute("aria-label", whose === "ours" ? "Your picture" : "The other’s picture");
  return element;
}

const WORDS: Record<Stage, string> = {
  idle: "No call",
  asking: "Waiting for camera and microphone",
  calling: "Calling",
  ringing: "is calling",
  connecting: "Finding a way between the tabs",
  talking: "In a call",
  ended: "The call has ended",
};

function view(session: Session, call: Call, videos: { theirs: HTMLVideoElement; ours: HTMLVideoElement }): unknown {
  const { stage, other, failure } = call;
  const busy = stage === "asking" || stage === "calling" || stage === "connecting" || stage === "talking";
  const name = other === undefined ? "" : session.nameOf(other);
  return html`
    <div class="pictures" data-stage=${stage}>${videos.theirs}${videos.ours}<p class="call-stage" role="status">${stage === "ringing" ? `${name} ${WORDS.ringing}` : `${WORDS[stage]}${name && busy ? `: ${name}` : ""}`}</p></div>
    <p class="panel-buttons">
      ${stage === "ringing" ? html`<button class="primary" @click=${() => call.answer()}>Answer</button><button @click=${() => call.hangUp()}>Decline</button>` : nothing}
      ${stage === "idle" || stage === "ended" ? html`<button class="primary" @click=${() => call.start()}>Call the room</button>` : nothing}
      ${busy ? html`<button class="danger" @click=${() => call.hangUp()}>Hang up</button>` : nothing}
    </p>
    ${failure ? html`<p class="reason" role="alert">${failure}</p>` : nothing}
    <p class="small">Watch the line: <code>m.call.invite</code>, <code>m.call.candidates</code> and <code>m.call.answer</code> are events like any other. There is no relay, so it works between tabs and in a local network.</p>
  `;
}
