// The built site, served on a loopback port, in headless Chromium. All tabs share one profile, as a user's do.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".svg": "image/svg+xml", ".woff2": "font/woff2" };
const BUILT = new URL("../../dist", import.meta.url).pathname;
const SHOTS = new URL("../shots/", import.meta.url).pathname;

const args = [
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Tabs in the background are as quick as the one in front: a test looks at both at once.
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  // Software in place of a graphics card.
  "--enable-unsafe-swiftshader",
];

/** Starts a browser over the site. `options` are those of a Playwright context. */
export async function start(options = {}) {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    const file = path.endsWith("/") ? `${path}index.html` : path;
    const bytes = await readFile(join(BUILT, file)).catch(() => undefined);
    if (!bytes) return response.writeHead(404).end();
    response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream").end(bytes);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", permissions: ["camera", "microphone"], ...options });
  context.setDefaultTimeout(45_000);
  return new Demo(server, browser, context);
}

class Demo {
  constructor(server, browser, context) {
    this.server = server;
    this.browser = browser;
    this.context = context;
    this.url = `http://localhost:${server.address().port}/`;
    this.errors = [];
  }

  /** A tab whose user has that name, at the first screen or at a link. */
  async tab(name, url = this.url) {
    const tab = await this.context.newPage();
    tab.on("pageerror", (error) => this.errors.push(`${name}: ${error}`));
    tab.on("console", (message) => message.type() === "error" && this.errors.push(`${name}: ${message.text()}`));
    await tab.addInitScript((name) => sessionStorage.getItem("hublet-demo-name") ?? sessionStorage.setItem("hublet-demo-name", name), name);
    await tab.goto(url);
    return tab;
  }

  /** Two tabs in one room: the first is its hub, the second came by the link. */
  async pair(first = "Cobalt", second = "Neon") {
    const hub = await this.tab(first);
    await makeRoom(hub);
    const guest = await this.tab(second, hub.url());
    await guest.getByRole("region", { name: "The room as a line" }).waitFor();
    return { hub, guest };
  }

  async stop() {
    await this.browser.close();
    this.server.closeAllConnections();
    this.server.close();
  }
}

export async function makeRoom(tab) {
  await tab.getByRole("button", { name: "Make a room" }).click();
  await tab.getByRole("region", { name: "The room as a line" }).waitFor();
}

export async function say(tab, text) {
  const field = tab.getByRole("textbox", { name: "Message" });
  await field.fill(text);
  await field.press("Enter");
}

/** Waits until a message stands in the conversation with its place on the line. */
export async function placed(tab, text) {
  await tab.locator(".message.sent", { hasText: text }).waitFor();
}

export const sayings = (tab) => tab.locator(".message.sent .body").allTextContents();

/** What is on the line, as its dominoes show it: the left halves and the right halves. */
export const line = (tab) =>
  tab.locator(".event").evaluateAll((events) => events.map((event) => ({ before: event.querySelector(".prev").textContent, own: event.querySelector(".own").textContent })));

/** A picture for people, kept beside the tests. Animations have come to their end in it. */
export async function shot(tab, name) {
  await tab.bringToFront();
  await tab.waitForTimeout(700);
  await tab.screenshot({ path: `${SHOTS}${name}.png` });
}
