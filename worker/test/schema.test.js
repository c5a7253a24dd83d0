// Rows of an earlier form are brought to the present one when an object is opened, from each form that there ever was.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

const file = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The tables of each form as a program of that time made them: they are history, and never change here. */
const TABLES_0 = ["meta", "log", "ids", "lpdus", "state", "state_index", "owed", "pending", "inbox", "queue", "keys", "account"];

let workerd;

before(async () => {
  await build({
    entryPoints: [file("schema-forms.ts")],
    outfile: file("../dist/test/schema-forms.js"),
    bundle: true,
    format: "esm",
    target: "es2022",
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
    external: ["cloudflare:workers"],
    conditions: ["workerd"],
    logLevel: "warning",
  });
  workerd = new Miniflare({
    cf: false,
    modules: true,
    modulesRules: [
      { type: "ESModule", include: ["**/*.js"] },
      { type: "CompiledWasm", include: ["**/*.wasm"] },
    ],
    scriptPath: file("../dist/test/schema-forms.js"),
    compatibilityDate: "2026-01-01",
    durableObjects: { FORMS: { className: "Forms", useSQLite: true } },
  });
  await workerd.ready;
});

after(() => workerd.dispose());

async function call(name, method, ...parameters) {
  const answer = await workerd.dispatchFetch("http://forms", { method: "POST", body: JSON.stringify({ name, method, parameters }) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

test("rows without a number are those of form 0: they keep what they hold, and get one", async () => {
  await call("zero", "makeForm0", TABLES_0);
  const opened = await call("zero", "open");
  assert.deepEqual(opened, { schema: 1, isEmpty: false, tables: opened.present, present: opened.present, first: [1, 2, 3] });
  assert.deepEqual(await call("zero", "open"), opened, "and again");
});

test("new rows have the present form", async () => {
  assert.deepEqual((await call("new", "open")).isEmpty, true);
  assert.equal((await call("new", "open")).schema, null, "nothing is written before the first batch");
  await call("new", "write");
  const opened = await call("new", "open");
  assert.deepEqual([opened.schema, opened.isEmpty, opened.tables], [1, false, opened.present]);
});

test("rows of a later program are not touched", async () => {
  await call("later", "write");
  await call("later", "setSchema", 9);
  const { error } = await call("later", "open");
  assert.match(error, /form 9.*up to 1.*deploy the later one again/);
  await call("later", "setSchema", 1);
  assert.deepEqual((await call("later", "open")).first, [7]);
});

test("steps are taken from where the rows are, all or none", async () => {
  await call("steps", "write");
  assert.deepEqual(await call("steps", "step", ["a", "b"]), { schema: 3, made: ["a", "b"] });
  assert.deepEqual(await call("steps", "step", ["a", "b", "c"]), { schema: 4, made: ["a", "b", "c"] });
  const failed = await call("steps", "step", ["a", "b", "c", "d", "a"]);
  assert.match(failed.error, /already exists/);
  assert.deepEqual([failed.schema, failed.made], [4, ["a", "b", "c"]]);
});
