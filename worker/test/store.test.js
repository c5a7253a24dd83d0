// The store of a Durable Object shows what every store must show. The cases come from the core: `cargo run --example store_cases`.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const cases = JSON.parse(readFileSync(file("../dist/store-cases.json"), "utf8"));

let workerd;

before(async () => {
  await build({
    entryPoints: [file("store-cases.ts")],
    outfile: file("../dist/test/store-cases.js"),
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
    scriptPath: file("../dist/test/store-cases.js"),
    compatibilityDate: "2026-01-01",
    durableObjects: { CASES: { className: "Cases", useSQLite: true } },
  });
  await workerd.ready;
});

after(() => workerd.dispose());

async function call(name, method, ...parameters) {
  const answer = await workerd.dispatchFetch("http://cases", {
    method: "POST",
    body: JSON.stringify({ name, method, parameters }),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

test("there are cases", () => assert.ok(cases.length >= 9));

for (const { name, steps } of cases) {
  test(name, async () => assert.deepEqual(await call(name, "run", steps), []));
}

test("a batch that fails leaves nothing", async () => {
  // One row, key 01 and value 02, in the first table but one; then one whose value no row of the platform can hold.
  const [put, all] = ["0101" + "0000000101" + "0000000102", "010000ffffffff" + "00000000" + "00000000"];
  const failed = await call("failing", "fail", put, 3_000_000, all);
  assert.match(failed.error, /too big/i);
  assert.equal(failed.rows, "00000000");
  const fits = await call("fitting", "fail", put, 3, all);
  assert.equal(fits.error, "none");
  assert.equal(fits.rows, "00000002" + "0000000101" + "0000000102" + "0000000107" + "00000003000000");
});

test("a differing answer is noticed", async () => {
  const read = "010000ffffffff" + "00000000" + "00000000";
  assert.equal((await call("differing", "run", [{ read, rows: "00000001" }])).length, 2);
});
