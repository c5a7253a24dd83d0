// The built worker in workerd: the module starts inside a Durable Object and answers over HTTP.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Miniflare } from "miniflare";

const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

let hub;
let base;

before(async () => {
  hub = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    modules: true,
    modulesRules: [
      { type: "ESModule", include: ["**/*.js"] },
      { type: "CompiledWasm", include: ["**/*.wasm"] },
    ],
    scriptPath: new URL("../dist/worker.js", import.meta.url).pathname,
    compatibilityDate: "2026-01-01",
    durableObjects: { ROOM: { className: "Room", useSQLite: true } },
  });
  base = await hub.ready;
});

after(() => hub.dispose());

test("a durable object answers with the version of the module", async () => {
  const answer = await fetch(new URL("/_hublet/version", base), { signal: AbortSignal.timeout(5000) });
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { name: "hublet", version: manifest.version });
});

test("an unknown endpoint is refused", async () => {
  const answer = await fetch(new URL("/nothing", base), { signal: AbortSignal.timeout(5000) });
  assert.equal(answer.status, 404);
  assert.equal((await answer.json()).errcode, "M_UNRECOGNIZED");
});
