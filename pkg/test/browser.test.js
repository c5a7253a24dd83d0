// The package as a browser loads it: served as files, no bundler, in headless Chromium.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { delimiter, extname, join, normalize } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { installPacked, manifest } from "./packing.js";

const types = { ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };

const page = `<!doctype html><p id="answer"></p><script type="module">
  import { canonicalJson, HubletError, version } from "/web.js";
  let code;
  try { canonicalJson("{"); } catch (error) { code = error instanceof HubletError && error.code; }
  document.getElementById("answer").textContent = [version(), canonicalJson("[ 1e2 ]"), code].join(" ");
</script>`;

function chromium() {
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const files = (process.env.PATH ?? "").split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  const found = files.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  assert.ok(found, "Chromium is missing: `cargo xtask setup browser` installs it");
  return found;
}

let packed;
let server;

before(async () => {
  packed = installPacked();
  server = createServer(async (request, response) => {
    const path = normalize(request.url);
    if (path === "/") return response.setHeader("content-type", types[".html"]).end(page);
    try {
      const bytes = await readFile(join(packed.installed, path));
      response.setHeader("content-type", types[extname(path)] ?? "application/octet-stream").end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
});

after(() => {
  server.close();
  packed.remove();
});

test("a page imports the package and uses it at once", async () => {
  const { stdout } = await promisify(execFile)(
    chromium(),
    [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--user-data-dir=${join(packed.folder, "profile")}`,
      "--virtual-time-budget=20000",
      "--dump-dom",
      `http://127.0.0.1:${server.address().port}/`,
    ],
    { timeout: 60_000 },
  );
  assert.equal(/<p id="answer">(.*?)<\/p>/.exec(stdout)?.[1], `${manifest.version} [100] json_syntax`);
});
