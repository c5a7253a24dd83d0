// Pages in headless Chromium, over files served on a loopback port.
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";

const types = { ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };
const folder = new URL("../..", import.meta.url).pathname;

/** A page without anything of its own: tests bring the code. */
const page = `<!doctype html><meta charset="utf-8"><title>hublet</title><link rel="icon" href="data:,"><script type="module">
  import * as hublet from "/browser/index.js";
  window.hublet = hublet;
  window.ready = true;
</script>`;

const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** Serves the package and starts a browser; `tab()` opens a page on it. All tabs share one profile, as a user's do. */
export async function start({ root = folder, executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium" } = {}) {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    if (path === "/") return response.setHeader("content-type", types[".html"]).end(page);
    try {
      const bytes = await readFile(join(root, path));
      response.setHeader("content-type", types[extname(path)] ?? "application/octet-stream").end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  // A profile on disk, as a user has: in a private window databases are in memory.
  const profile = mkdtempSync(join(tmpdir(), "hublet-profile-"));
  const context = await chromium.launchPersistentContext(profile, { executablePath, args });
  const url = `http://localhost:${server.address().port}/`;
  return {
    url,
    context,
    async tab() {
      const tab = await context.newPage();
      tab.errors = [];
      tab.on("pageerror", (error) => tab.errors.push(String(error)));
      tab.on("console", (message) => message.type() === "error" && tab.errors.push(message.text()));
      await visit(tab, url);
      return tab;
    },
    async stop() {
      await context.close();
      server.closeAllConnections();
      server.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Loads the page and waits for the package. */
export async function visit(tab, url) {
  await tab.goto(url);
  await tab.waitForFunction(() => window.ready);
}
