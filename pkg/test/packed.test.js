// What is in the package, and what a TypeScript user of it in Node gets.
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { installPacked, manifest, tsc } from "./packing.js";

let packed;

before(() => {
  packed = installPacked();
});

after(() => packed.remove());

test("the package holds the module, its glue, types, loaders and licences, and nothing else", () => {
  assert.deepEqual(packed.files, [
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
  copyFileSync(new URL("consumer.ts", import.meta.url), join(packed.folder, "consumer.ts"));
  packed.run(tsc, "--strict", "--target", "es2022", "--module", "nodenext", "--outDir", "out", "consumer.ts");
  assert.deepEqual(JSON.parse(packed.run("node", "out/consumer.js")), {
    version: manifest.version,
    canonical: '{"a":"A","b":100}',
    refused: ["json_syntax", "json_limit"],
  });
});
