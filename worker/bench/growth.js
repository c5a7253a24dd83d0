// What appending and opening cost a room in the SQLite of a Durable Object, with a short history and with a long one, in turn.
// GROWTH_EVENTS says how long the long one is (1,000,000). Time is taken outside: inside, the platform's clock stands still. What a call costs that does nothing is taken off.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

const SHORT = 1_000;
const LONG = Number(process.env.GROWTH_EVENTS ?? 1_000_000);
/** Entries written by one call. */
const AT_ONCE = 5_000;
const ROUNDS = 24;
const WARM_UP = 4;
const APPENDS = 20;
const OPENINGS = 10;

const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const data = mkdtempSync(join(tmpdir(), "hublet-growth-"));
await build({
  entryPoints: [file("growth.ts")],
  outfile: file("../dist/growth.js"),
  bundle: true,
  format: "esm",
  target: "es2022",
  loader: { ".wasm": "copy" },
  assetNames: "[name]",
  external: ["cloudflare:workers"],
  conditions: ["workerd"],
  logLevel: "warning",
});
const workerd = new Miniflare({
  cf: false,
  modules: true,
  modulesRules: [
    { type: "ESModule", include: ["**/*.js"] },
    { type: "CompiledWasm", include: ["**/*.wasm"] },
  ],
  scriptPath: file("../dist/growth.js"),
  compatibilityDate: "2026-01-01",
  durableObjects: { GROWTH: { className: "Growth", useSQLite: true } },
  durableObjectsPersist: data,
});

try {
  await workerd.ready;
  for (const [name, events] of [["short", SHORT], ["long", LONG]]) {
    for (let from = await call(name, "make"); from < events; from = Math.min(from + AT_ONCE, events)) {
      await call(name, "fill", from, Math.min(from + AT_ONCE, events));
    }
    assert.equal(await call(name, "end"), events);
  }
  const nothing = quantile(await samples(() => time("short", "end")), 0.5);
  print("worker_call", nothing * 1e3, "us");
  await compare("append", APPENDS, nothing);
  assert.equal(await call("long", "end"), LONG + (WARM_UP + ROUNDS) * APPENDS);
  await compare("open", OPENINGS, nothing);
} finally {
  await workerd.dispose();
  rmSync(data, { recursive: true, force: true });
}

async function compare(method, count, nothing) {
  const each = async (name) => ((await time(name, method, count)) - nothing) / count;
  const pairs = await samples(async () => ({ long: await each("long"), short: await each("short") }));
  const median = (of) => quantile(pairs.map(of), 0.5);
  print(`worker_${method}_at_${SHORT}`, median(({ short }) => short) * 1e3, "us");
  print(`worker_${method}_at_${LONG}`, median(({ long }) => long) * 1e3, "us");
  const ratios = pairs.map(({ long, short }) => long / short);
  console.log(`bench worker_growth_${method}_ratio ${quantile(ratios, 0.5).toFixed(3)} ratio`);
  const [low, high] = [0.25, 0.75].map((share) => quantile(ratios, share).toFixed(3));
  console.log(`bench worker_growth_${method}_ratio_middle_half ${low}..${high} ratio`);
}

async function samples(take) {
  for (let round = 0; round < WARM_UP; round++) await take();
  const all = [];
  for (let round = 0; round < ROUNDS; round++) all.push(await take());
  return all;
}

/** Milliseconds of a call. */
async function time(...parameters) {
  const start = performance.now();
  await call(...parameters);
  return performance.now() - start;
}

async function call(name, method, ...parameters) {
  const answer = await workerd.dispatchFetch("http://growth", {
    method: "POST",
    body: JSON.stringify({ name, method, parameters }),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

/** The value below which this share of the samples lies. */
function quantile(values, share) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.round((sorted.length - 1) * share)];
}

function print(name, value, unit) {
  console.log(`bench ${name} ${value.toFixed(1)} ${unit}`);
}
