// What is in the package, and what a TypeScript user of it in Node gets.
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { installPacked, manifest, tsc } from "./packing.js";

let packed;

before(() => {
  packed = installPacked();
});

after(() => packed.remove());

test("the package holds the module, its glue, types, loaders and licences, and nothing else", () => {
  const page = ["archive", "channel", "connection", "emitter", "error", "event", "hublet", "index", "link", "room", "signalling", "worker"];
  const module = ["hublet.d.ts", "hublet.js", "hublet_bg.wasm", "hublet_bg.wasm.d.ts"];
  assert.deepEqual(packed.files, [
    "README.md",
    ...[...page.flatMap((name) => [`browser/${name}.d.ts`, `browser/${name}.js`]), ...module.map((file) => `browser/module/${file}`)].sort(),
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
    "slim.d.ts",
    "slim.js",
    "web.js",
    "workerd.js",
  ]);
});

test("a consumer passes the type checker and runs in Node", () => {
  copyFileSync(new URL("consumer.ts", import.meta.url), join(packed.folder, "consumer.ts"));
  packed.run(tsc, "--strict", "--skipDefaultLibCheck", "--target", "es2022", "--module", "nodenext", "--outDir", "out", "consumer.ts");
  assert.deepEqual(JSON.parse(packed.run("node", "out/consumer.js")), {
    version: manifest.version,
    canonical: '{"a":"A","b":100}',
    refused: ["json_syntax", "json_limit"],
    door: {
      room: "!AAAAAAAAAAAAAAAAAAAAAA:localhost:1",
      told: Array(5).fill("appended"),
      answers: ["created", 404],
      argument: "argument",
      direction: "front",
      key: 43,
      tables: ["meta", "log"],
    },
  });
});

test("a page's code passes the type checker", () => {
  copyFileSync(new URL("page.ts", import.meta.url), join(packed.folder, "page.ts"));
  packed.run(tsc, "--strict", "--noEmit", "--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler", "--skipDefaultLibCheck", "--lib", "es2022,dom,dom.iterable,esnext.disposable", "page.ts");
});

test("the package exports these names and no others", () => {
  const names = packed.run("node", "--input-type=module", "--eval", 'console.log(Object.keys(await import("hublet")).sort().join(" "))');
  const expected =
    "HubletError Machine MemoryStore Router Server canonicalJson decodeAnswer encodeCall encodeUnavailable initSync isProven memoryTaken publicKey roomId tables version";
  assert.equal(names.trim(), expected);
});

test("the example of the README runs as it stands there", () => {
  const readme = readFileSync(join(packed.installed, "README.md"), "utf8");
  const [, door] = readme.split("## The low-level door (unstable)");
  const example = /```js\n([^]*?)```/.exec(door)?.[1];
  writeFileSync(join(packed.folder, "example.js"), example);
  assert.equal(
    packed.run("node", "example.js"),
    [
      "0 m.room.create ",
      "1 m.room.member ",
      "2 m.room.power_levels ",
      "3 m.room.join_rules ",
      "4 m.room.history_visibility ",
      "5 m.room.name ",
      "6 m.room.message Hello!",
      "created accepted",
      "",
    ].join("\n"),
  );
});
