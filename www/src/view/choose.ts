import { parseLink } from "hublet/browser";
import { html, nothing, type TemplateResult } from "lit-html";

import type { App } from "../app";
import { displayName } from "../state/tab";
import { figure } from "./figure";
import { themeSwitch } from "./page";

const FIELDS = { name: "name", link: "link", url: "url", room: "room" };

/** The first screen: what this is, and the three ways in. */
export function choose(app: App, error: string | undefined): TemplateResult {
  return html`
    <main class="choose">
      <header class="masthead">
        <span class="wordmark">hublet</span>
        <span class="masthead-note">Linearized Matrix in a browser tab</span>
        ${themeSwitch(app)}
      </header>
      <section class="claim">
        <h1>A room is one line.</h1>
        <p>
          Each event carries the hash of the one before it and two signatures: its sender’s, and that of the <em>hub</em>, the one server that puts it in its place. Any tab can be that
          hub. This one is a whole server: it has a key, keeps its rooms in the browser, and checks every byte that others send.
        </p>
        ${figure()}
      </section>
      ${error ? html`<p class="error" role="alert">${error}</p>` : nothing}
      <form class="ways" @submit=${(event: SubmitEvent) => enter(app, event)} novalidate>
        <label class="field name">
          <span>Your name</span>
          <input name=${FIELDS.name} .value=${displayName()} maxlength="40" autocomplete="nickname" spellcheck="false" />
        </label>
        ${here()} ${elsewhere()} ${edge()}
      </form>
      ${known(app)}
    </main>
  `;
}

function here(): TemplateResult {
  return html`<section class="way">
    <h2>Hub in this tab</h2>
    <p>Makes a room here. Open its invite in a second tab: that one is a server of its own and joins.</p>
    <button class="primary" name="way" value="here">Make a room</button>
  </section>`;
}

function elsewhere(): TemplateResult {
  return html`<section class="way">
    <h2>Hub in another tab</h2>
    <label class="field"><span>Invite link</span><input name=${FIELDS.link} type="text" inputmode="url" autocomplete="off" spellcheck="false" placeholder="…#!room:server" .value=${invited()} /></label>
    <button name="way" value="link">Join</button>
  </section>`;
}

/** The link that this page was opened with: one that could not be followed can be tried again. */
function invited(): string {
  return parseLink(location.href) ? location.href : "";
}

function edge(): TemplateResult {
  return html`<section class="way">
    <h2>Hub at the edge</h2>
    <label class="field"><span>Address</span><input name=${FIELDS.url} autocomplete="off" spellcheck="false" placeholder="wss://hub.example/_hublet/link" /></label>
    <label class="field"><span>Room</span><input name=${FIELDS.room} autocomplete="off" spellcheck="false" placeholder="!room:hub.example" /></label>
    <button name="way" value="edge">Connect</button>
  </section>`;
}

function known(app: App): TemplateResult | typeof nothing {
  if (app.rooms.length === 0) return nothing;
  return html`<section class="known">
    <h2>Rooms that this tab is in</h2>
    <ul>
      ${app.rooms.map((room) => html`<li><button @click=${() => app.openRoom(room.roomId)}>${room.name ?? "A room"} <code>${room.roomId.slice(0, 7)}</code></button></li>`)}
    </ul>
  </section>`;
}

function enter(app: App, event: SubmitEvent): void {
  event.preventDefault();
  const form = event.currentTarget as HTMLFormElement;
  const data = new FormData(form);
  const text = (name: string): string => String(data.get(name) ?? "").trim();
  const way = event.submitter?.getAttribute("value") ?? (text(FIELDS.link) ? "link" : "here");
  if (way === "link") void app.joinRoom(text(FIELDS.name), text(FIELDS.link));
  else if (way === "edge") void app.joinEdge(text(FIELDS.name), text(FIELDS.url), text(FIELDS.room));
  else void app.makeRoom(text(FIELDS.name));
}
