import { html, type TemplateResult } from "lit-html";

import type { App } from "../app";
import { nextTheme, theme } from "../state/theme";
import { choose } from "./choose";
import { room } from "./room";

export function page(app: App): TemplateResult {
  const { screen } = app;
  switch (screen.at) {
    case "choose":
      return choose(app, screen.error);
    case "opening":
      return html`<main class="opening"><p role="status"><span class="opening-line" aria-hidden="true"></span>${screen.what}…</p></main>`;
    case "room":
      return room(app, screen.session);
  }
}

const THEMES = { auto: "as the system", light: "light", dark: "dark" };

export function themeSwitch(app: App): TemplateResult {
  const change = (): void => {
    nextTheme();
    app.changes.tell();
  };
  const name = THEMES[theme()];
  return html`<button class="quiet theme" data-choice=${theme()} @click=${change} aria-label="Colours: ${name}" title="Colours: ${name}">
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><circle cx="8" cy="8" r="6.25" /><path d="M8 1.75a6.25 6.25 0 0 1 0 12.5z" /></svg>
  </button>`;
}
