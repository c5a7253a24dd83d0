// Where a server is reached: by its name alone, or by what its .well-known says.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const outfile = fileURLToPath(new URL("../dist/test/resolve.js", import.meta.url));
await build({
  entryPoints: [fileURLToPath(new URL("../src/resolve.ts", import.meta.url))],
  outfile,
  bundle: true,
  format: "esm",
  logLevel: "warning",
});
const { lookUp } = await import(outfile);

const HOUR = 3_600_000;
const SIGNAL = new AbortController().signal;
const nowhere = () => assert.fail("nothing is to be fetched");

/** Looks `hub.example` up where its .well-known is this answer; the base, and for how long it holds. */
async function delegated(answer) {
  const before = Date.now();
  const asked = [];
  const { base, until } = await lookUp("hub.example", false, async (url) => (asked.push(url), answer()), SIGNAL);
  assert.deepEqual(asked, ["https://hub.example/.well-known/matrix/server"]);
  return [base, Math.round((until - before) / HOUR)];
}

const names = (server, headers) => () => Response.json({ "m.server": server }, { headers });

test("a name with a port is reached there", async () => {
  assert.equal((await lookUp("hub.example:443", false, nowhere, SIGNAL)).base, "https://hub.example:443");
  assert.equal((await lookUp("localhost:8790", true, nowhere, SIGNAL)).base, "http://localhost:8790");
});

test("names that may not be reached are not", async () => {
  const key = `${"a".repeat(52)}.key.invalid`;
  const refused = [
    ["hub.example:8448", true],
    ["hub.example", true],
    ["localhost", true],
    ["127.0.0.1:80", true],
    ["localhost:8790", false],
    ["LOCALHOST:8790", false],
    ["x.localhost:8790", false],
    ["localhost", false],
    ["hub.local", false],
    ["db.internal:5432", false],
    ["printer.home.arpa", false],
    ["intranet", false],
    ["10.0.0.1", false],
    ["192.168.1.1:8448", false],
    ["169.254.169.254", false],
    ["[fd00::1]", false],
    ["[fe80::1]:8448", false],
    ["[::ffff:127.0.0.1]", false],
    ["127.0.0.1:80", false],
    ["127.1", false],
    ["2130706433", false],
    ["0x7f000001:80", false],
    ["[::1]:80", false],
    ["hub.example:80@evil.example", false],
    ["hub.example/x", false],
    ["", false],
    [key, false],
  ];
  for (const [server, isDevelopment] of refused) {
    await assert.rejects(lookUp(server, isDevelopment, nowhere, SIGNAL), undefined, server);
  }
});

test("a .well-known names the place", async (t) => {
  t.mock.method(console, "info", () => {});
  const table = [
    [names("there.example:1234"), "https://there.example:1234", 24],
    [names("there.example"), "https://there.example:8448", 24],
    [names("there.example", { "cache-control": "public, max-age=7200" }), "https://there.example:8448", 2],
    [names("there.example", { "cache-control": "max-age=99999999" }), "https://there.example:8448", 48],
  ];
  for (const [answer, base, hours] of table) assert.deepEqual(await delegated(answer), [base, hours]);
});

test("without a usable one the usual port is tried, and asked again after an hour", async (t) => {
  t.mock.method(console, "info", () => {});
  const unusable = [
    () => new Response("{}", { status: 404 }),
    () => new Response("<html>"),
    () => Response.json({}),
    () => Response.json(null),
    () => Response.json({ "m.server": 1 }),
    () => new Response(" ".repeat(51_201)),
    () => Promise.reject(new Error("unreachable")),
    names("localhost:22"),
    names("10.0.0.1:80"),
    names("there.example:1234/x"),
  ];
  for (const answer of unusable) {
    assert.deepEqual(await delegated(answer), ["https://hub.example:8448", 1], String(answer));
  }
});

/** Answers of a .well-known that redirects through these places, the last of which names `there.example`. */
function redirects(...places) {
  const asked = [];
  const fetch = async (url, options) => {
    assert.equal(options.redirect, "manual");
    asked.push(url);
    const next = places[asked.length - 1];
    return next === undefined ? Response.json({ "m.server": "there.example" }) : new Response(null, { status: 302, headers: { location: next } });
  };
  return { asked, look: async () => (await lookUp("hub.example", false, fetch, SIGNAL)).base };
}

test("a .well-known may redirect, over TLS and by public names", async (t) => {
  t.mock.method(console, "info", () => {});
  const { asked, look } = redirects("/elsewhere", "https://cdn.example/x");
  assert.equal(await look(), "https://there.example:8448");
  assert.deepEqual(asked, ["https://hub.example/.well-known/matrix/server", "https://hub.example/elsewhere", "https://cdn.example/x"]);

  const refused = [
    "http://cdn.example/x",
    "https://127.0.0.1/x",
    "https://127.1/x",
    "https://0x7f000001/x",
    "https://[::1]/x",
    "https://[fe80::1]/x",
    "https://169.254.169.254/latest/meta-data",
    "https://localhost:8787/x",
    "https://db.internal/x",
    "https://intranet/x",
    "https://user:secret@cdn.example/x",
    "file:///etc/passwd",
  ];
  for (const place of refused) {
    const { asked, look } = redirects(place);
    assert.equal(await look(), "https://hub.example:8448", place);
    assert.equal(asked.length, 1, place);
  }
});

test("a .well-known redirects at most five times", async (t) => {
  t.mock.method(console, "info", () => {});
  const loop = Array.from({ length: 9 }, (_, number) => `https://hub.example/${number}`);
  assert.equal(await redirects(...loop.slice(0, 5)).look(), "https://there.example:8448");
  const endless = redirects(...loop);
  assert.equal(await endless.look(), "https://hub.example:8448");
  assert.equal(endless.asked.length, 6);
});
