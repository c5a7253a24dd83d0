import "./styles/fonts.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/choose.css";
import "./styles/room.css";
import "./styles/tape.css";
import "./styles/chat.css";
import "./styles/event.css";
import "./styles/panels.css";

import { render } from "lit-html";

import { App } from "./app";
import { showTheme } from "./state/theme";
import { page } from "./view/page";

showTheme();

const app = new App(() => new Worker(new URL("hublet/worker", import.meta.url), { type: "module" }));
const root = document.querySelector("#app");
if (root instanceof HTMLElement) {
  app.changes.listen(() => render(page(app), root));
  app.changes.tell();
}
app.start().catch(console.error);

// While developing there are no built files to keep.
if (import.meta.env.PROD && "serviceWorker" in navigator) navigator.serviceWorker.register("./offline.js").catch(console.warn);
