// The package as users get it: packed, installed into an empty folder, type-checked and run.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

const here = new URL(".", import.meta.url).pathname;
const manifest = JSON.parse(readFileSync(join(here, "../package.json"), "utf8"));
const tsc = join(here, "../node_modules/.bin/tsc");

let packed;
let folder;

const run = (program, ...args) => execFileSync(program, args, { cwd: folder, encoding: "utf8" });

before(() => {
  folder = mkdtempSync(join(tmpdir(), "hublet-packed-"));
  const said = execFileSync("npm", ["pack", "--json", "--pack-destination", folder], { cwd: join(here, ".."), encoding: "utf8" });
  const answer = JSON.parse(said);
  // npm answers with a list, or with an object keyed by package name, by its version.
  [packed] = Array.isArray(answer) ? answer : Object.values(answer);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  run("npm", "install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", join(folder, packed.filename));
});

after(() => rmSync(folder, { recursive: true, force: true }));

test("the package holds the module, its glue, types, loaders and licences, and nothing else", () => {
  assert.deepEqual(packed.files.map((file) => file.path).sort(), [
    "README.md",
    "dist/LICENSE-APACHE",
    "dist/LICENSE-MIT",
    "dist/hublet.d.ts",
    "dist/hublet.js",
    "dist/hublet_bg.wasm",
    "dist/hublet_bg.wasm.d.ts",
    "error.d.ts",
    "error.js",
    "index.d.ts",
    "node.js",
    "package.json",
    "web.js",
    "workerd.js",
  ]);
});

test("a consumer passes the type checker and runs in Node", () => {
  copyFileSync(join(here, "consumer.ts"), join(folder, "consumer.ts"));
  run(tsc, "--strict", "--target", "es2022", "--module", "nodenext", "--outDir", "out", "consumer.ts");
  assert.deepEqual(JSON.parse(run("node", "out/consumer.js")), {
    version: manifest.version,
    canonical: '{"a":"A","b":100}',
    refused: ["json_syntax", "json_limit"],
  });
});
