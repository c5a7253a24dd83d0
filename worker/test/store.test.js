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

test("many queries at once are answered in their order, whatever they ask for", async () => {
  const hex = (bytes) => Buffer.from(bytes).toString("hex");
  const field = (bytes) => `${Buffer.of(0, 0, 0, bytes.length).toString("hex")}${hex(bytes)}`;
  const keys = Array.from({ length: 130 }, (_, number) => [number]);
  // Every third row is there. Some ask for it alone, some for a stretch, some from another table, some twice.
  const put = keys.filter(([key]) => key % 3 === 0).map((key) => `0101${field(key)}${field([...key, 1])}`);
  const one = (table, key) => `${table}000100000001${field(key)}${field([...key, 0])}`;
  const stretch = (key) => `01000100000005${field(key)}${field([key[0] + 4])}`;
  const row = (key) => `${field(key)}${field([...key, 1])}`;
  const asked = keys.flatMap((key) => {
    const [is, isTwo] = [key[0] % 3 === 0, key[0] % 3 !== 1];
    const rows = is ? `00000001${row(key)}` : "00000000";
    if (key[0] % 10 === 5 && key[0] < 120) {
      const inside = [0, 1, 2, 3].map((on) => [key[0] + on]).filter(([at]) => at % 3 === 0);
      return [[stretch(key), `${hex([0, 0, 0, inside.length])}${inside.map(row).join("")}`]];
    }
    return [[one("01", key), rows], ...(isTwo ? [[one("01", key), rows]] : []), [one("02", key), "00000000"]];
  });
  const [read, rows] = [0, 1].map((part) => asked.map((both) => both[part]).join(""));
  assert.deepEqual(await call("many", "run", [{ read, rows: asked.map(() => "00000000").join("") }, { apply: put.join("") }, { read, rows }]), []);
});

test("a log takes little more room than its events", async () => {
  const hex = (bytes) => Buffer.from(bytes).toString("hex");
  const [events, size] = [300, 1_250];
  const field = (bytes) => hex([0, 0, bytes.length >> 8, bytes.length & 0xff]) + hex(bytes);
  const put = (number) => `0101${field([0x80, 0, 0, 0, 0, 0, number >> 8, number & 0xff])}${field(Array(size).fill(7))}`;
  const grown = await call("growing", "grow", Array.from({ length: events }, (_, number) => put(number)).join(""));
  assert.ok(grown > events * size && grown < events * size * 1.25, `${grown} bytes`);
});

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
