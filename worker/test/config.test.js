// What is deployed is what is tested: the same classes and bindings, and settings that the worker knows.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import jsonc from "./support/jsonc.js";
import { settings } from "../hub.js";

const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const wrangler = jsonc(readFileSync(file("../wrangler.jsonc"), "utf8"));
const local = settings({ name: "hub.example", signingKey: "", oldKeys: [], token: "", data: "/nowhere", forgets: false });

test("classes and bindings are the same", () => {
  const deployed = wrangler.durable_objects.bindings.map(({ name, class_name }) => [name, class_name]);
  const tested = Object.entries(local.durableObjects).map(([name, { className }]) => [name, className]);
  assert.deepEqual(deployed, tested);
  assert.ok(Object.values(local.durableObjects).every(({ useSQLite }) => useSQLite));
  const classes = wrangler.migrations.flatMap((step) => step.new_sqlite_classes);
  assert.deepEqual(classes, deployed.map(([, name]) => name));
  assert.deepEqual(wrangler.kv_namespaces.map(({ binding }) => binding), local.kvNamespaces);
  assert.equal(wrangler.compatibility_date, local.compatibilityDate);
});

test("the worker exports the classes, and knows every setting", () => {
  const built = readFileSync(file("../dist/worker.js"), "utf8");
  const [, exported] = /export \{([^}]*)\};?\s*$/.exec(built);
  for (const { class_name } of wrangler.durable_objects.bindings) assert.match(exported, new RegExp(`\\b${class_name}\\b`));
  const env = readFileSync(file("../src/env.ts"), "utf8");
  const known = new Set(env.match(/\bHUBLET_[A-Z_]+/g));
  for (const name of [...Object.keys(wrangler.vars), ...Object.keys(local.bindings)]) assert.ok(known.has(name), name);
  const text = readFileSync(file("../wrangler.jsonc"), "utf8");
  for (const name of known) assert.ok(text.includes(name) || name === "HUBLET_DEVELOPMENT", `${name} is not explained`);
});

test("a comment in a text is none", () => assert.deepEqual(jsonc('{"a": "// b", /* c */ "d": 1 // e\n}'), { a: "// b", d: 1 }));
