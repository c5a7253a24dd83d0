// The package as it is packed, through what users build with: the page that each makes is opened in Chromium, and makes a room by both doors.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { build as esbuild } from "esbuild";
import { build as viteBuild, createServer as viteServer } from "vite";
import webpack from "webpack";
import { installPacked, manifest } from "./packing.js";
import { start } from "./tabs/browser.js";

let packed;
let browser;

/** A page that opens a server in its worker, makes a room, and says so in its title. */
const program = (options = "") => `import * as door from "hublet";
  import { open } from "hublet/browser";
  import { makeRoom } from "./door.js";
  const server = await open({ store: "memory"${options} });
  const room = await server.createRoom({ name: "Made" });
  document.title = [room.name, door.version(), makeRoom(door)].join(" ");`;

const expected = `Made ${manifest.version} 6 [100] json_syntax`;

const html = (script, head = "") => `<!doctype html><link rel="icon" href="data:,">${head}<script type="module" src="${script}"></script>`;

const write = (file, text) => writeFileSync(join(packed.folder, file), text);

before(async () => {
  packed = installPacked();
  copyFileSync(new URL("door.js", import.meta.url), join(packed.folder, "door.js"));
  write("main.js", program());
  browser = await start({ root: packed.folder });
});

after(async () => {
  await browser?.stop();
  packed?.remove();
});

/** Opens a page; it has to say what is expected, and nothing else to the console. */
async function makes(url) {
  const tab = await browser.context.newPage();
  const errors = [];
  tab.on("pageerror", (error) => errors.push(String(error)));
  tab.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await tab.goto(url);
  await tab.waitForFunction(() => document.title, undefined, { timeout: 15_000 }).catch((error) => {
    throw new Error(`${error.message}: ${errors.join("; ")}`);
  });
  assert.equal(await tab.title(), expected);
  assert.deepEqual(errors, []);
  await tab.close();
}

test("a page without a bundler", async () => {
  const imports = { hublet: "./node_modules/hublet/web.js", "hublet/browser": "./node_modules/hublet/browser/index.js" };
  write("plain.html", html("main.js", `<script type="importmap">${JSON.stringify({ imports })}</script>`));
  await makes(`${browser.url}plain.html`);
});

/** What Vite needs to be told, as the README says. */
const vite = () => ({
  root: packed.folder,
  configFile: false,
  logLevel: "error",
  cacheDir: join(packed.folder, ".vite"),
  optimizeDeps: { exclude: ["hublet"] },
  build: { target: "esnext", outDir: "vite", minify: false, rolldownOptions: { input: join(packed.folder, "vite.html") } },
  base: "./",
});

test("Vite's server", async () => {
  write("vite.html", html("/main.js"));
  const http = createServer((request, response) => server.middlewares(request, response));
  const server = await viteServer({ ...vite(), base: "/", appType: "mpa", server: { middlewareMode: true, hmr: { server: http } } });
  await new Promise((listening) => http.listen(0, "127.0.0.1", listening));
  try {
    await makes(`http://localhost:${http.address().port}/vite.html`);
  } finally {
    http.closeAllConnections();
    http.close();
    await server.close();
  }
});

test("Vite's build", async () => {
  await viteBuild(vite());
  await makes(`${browser.url}vite/vite.html`);
});

test("webpack", async () => {
  const compiler = webpack({
    context: packed.folder,
    mode: "production",
    devtool: false,
    entry: "./main.js",
    target: "web",
    output: { path: join(packed.folder, "webpack"), publicPath: "auto" },
    optimization: { minimize: false },
  });
  const stats = await new Promise((resolve, reject) => compiler.run((error, stats) => (error ? reject(error) : resolve(stats))));
  await new Promise((closed) => compiler.close(closed));
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  // Its limits on sizes are not ours.
  assert.deepEqual([...errors, ...warnings].map(({ message }) => message).filter((message) => !/size limit|performance/.test(message)), []);
  write("webpack.html", html("webpack/main.js"));
  await makes(`${browser.url}webpack.html`);
});

test("esbuild", async () => {
  write("esbuild-page.js", program(', worker: () => new Worker("esbuild/worker.js", { type: "module" })'));
  const entryPoints = { page: join(packed.folder, "esbuild-page.js"), worker: join(packed.installed, "browser/worker.js") };
  await esbuild({ entryPoints, bundle: true, minify: true, format: "esm", target: "es2022", outdir: join(packed.folder, "esbuild"), logLevel: "error" });
  // It does not see files that are named by URL: they are laid where the bundles look for them.
  for (const folder of ["dist", "module"]) {
    const from = folder === "dist" ? "dist" : "browser/module";
    mkdirSync(join(packed.folder, "esbuild", folder), { recursive: true });
    copyFileSync(join(packed.installed, from, "hublet_bg.wasm"), join(packed.folder, "esbuild", folder, "hublet_bg.wasm"));
  }
  write("esbuild.html", html("esbuild/page.js"));
  await makes(`${browser.url}esbuild.html`);
});

/** A program of one line, bundled. */
async function bundled(contents, options = {}) {
  const stdin = { contents, resolveDir: packed.folder };
  const { outputFiles } = await esbuild({ stdin, bundle: true, write: false, format: "esm", target: "es2022", outdir: packed.folder, logLevel: "error", ...options });
  return outputFiles.find(({ path }) => path.endsWith(".js")).text;
}

test("what a page does not use is left out, and what starts the module is not", async () => {
  assert.doesNotMatch(await bundled('import "hublet/browser";'), /class/);
  const link = await bundled('import { parseLink } from "hublet/browser"; console.log(parseLink("!a:b"));');
  assert.match(link, /parseLink/);
  assert.doesNotMatch(link, /new Worker|class /);
  assert.match(await bundled('import "hublet";'), /hublet_bg\.wasm/);
  assert.match(await bundled('import "hublet/worker";'), /onmessage/);
});

test("the slim door takes a module from wherever the caller has it", async () => {
  write("slim.js", `import { readFileSync } from "node:fs";
    import * as door from "hublet/slim";
    import { makeRoom } from "./door.js";
    let early;
    try { door.version(); } catch { early = "not ready"; }
    const file = (name) => readFileSync(new URL(import.meta.resolve(name)));
    door.initSync({ module: file("hublet/hublet_bg.wasm") });
    const browser = new WebAssembly.Module(file("hublet/browser/hublet_bg.wasm"));
    console.log(JSON.stringify([early, makeRoom(door), WebAssembly.Module.exports(browser).some(({ name }) => name === "tab_new")]));`);
  assert.deepEqual(JSON.parse(packed.run("node", "slim.js")), ["not ready", "6 [100] json_syntax", true]);
  assert.ok(!(await bundled('import * as door from "hublet/slim"; console.log(door);')).includes("hublet_bg.wasm"), "the bundle carries no module of its own");
  write("slim-page.js", `import * as door from "hublet/slim";
    import { makeRoom } from "./door.js";
    await door.init({ module_or_path: fetch("node_modules/hublet/dist/hublet_bg.wasm") });
    document.title = ["Made", door.version(), makeRoom(door)].join(" ");`);
  write("slim.html", html("slim-page.js", '<script type="importmap">{ "imports": { "hublet/slim": "./node_modules/hublet/slim.js" } }</script>'));
  await makes(`${browser.url}slim.html`);
});

test("workerd", async () => {
  // workerd and its driver are the worker's: they weigh a hundred megabytes.
  const { Miniflare } = createRequire(new URL("../../worker/package.json", import.meta.url))("miniflare");
  write("edge.js", `import * as door from "hublet";
    import { makeRoom } from "./door.js";
    export default { fetch: () => new Response(["Made", door.version(), makeRoom(door)].join(" ")) };`);
  const outdir = join(packed.folder, "edge");
  await esbuild({ entryPoints: [join(packed.folder, "edge.js")], bundle: true, format: "esm", conditions: ["workerd"], loader: { ".wasm": "copy" }, assetNames: "[name]", outdir, logLevel: "error" });
  const modules = [
    { type: "ESModule", path: "edge.js", contents: readFileSync(join(outdir, "edge.js"), "utf8") },
    { type: "CompiledWasm", path: "hublet_bg.wasm", contents: readFileSync(join(outdir, "hublet_bg.wasm")) },
  ];
  const workerd = new Miniflare({ host: "127.0.0.1", port: 0, cf: false, modules, compatibilityDate: "2026-01-01" });
  try {
    assert.equal(await (await workerd.dispatchFetch("http://localhost/")).text(), expected);
  } finally {
    await workerd.dispose();
  }
});
