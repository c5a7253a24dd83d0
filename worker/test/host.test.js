// The loop around a machine, with the module as Node loads it and rows that can be made to fail.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { decodeAnswer, encodeCall, encodeUnavailable, Machine, MemoryStore } from "hublet";

const built = fileURLToPath(new URL("../dist/test/host.js", import.meta.url));
await build({
  entryPoints: [fileURLToPath(new URL("../src/host.ts", import.meta.url))],
  outfile: built,
  bundle: true,
  external: ["hublet"],
  format: "esm",
  logLevel: "warning",
});
const { MachineHost } = await import(built);

const IDENTITY = { name: "hub.example", keyId: "ed25519:1", seed: new Uint8Array(32).fill(7) };
const HAL = "@hal:hub.example";
const CREATE = { type: "create", creator: HAL, public: true };
const SAY = { type: "send", sender: HAL, kind: "m.room.message", content: '{"body":"hi"}' };

/** Rows in memory; the next batch fails when it is told to. */
class Rows {
  #store = new MemoryStore();
  isFailing = false;

  apply(batch) {
    if (this.isFailing) throw new Error("the disk is full");
    this.#store.apply(batch);
  }

  read(queries) {
    return this.#store.read(queries);
  }
}

function open(around = {}) {
  const rows = new Rows();
  const seen = [];
  const host = new MachineHost(IDENTITY, "room:!r:hub.example", rows, {
    ask: async (to) => {
      seen.push(`ask ${to}`);
      if (to.startsWith("peer:")) throw new Error("nobody is there");
      return encodeUnavailable();
    },
    send: () => assert.fail("a room sends nothing"),
    wake: () => seen.push("wake"),
    watch: () => seen.push("watch"),
    notify: ({ type }) => seen.push(type),
    stepped: () => {},
    dropped: () => {},
    ...around,
  });
  const ask = async (call) => decodeAnswer(await host.ask(encodeCall(call)));
  return { host, rows, seen, ask };
}

test("it watches before it writes, and tells after", async () => {
  const { host, seen, ask } = open();
  assert.equal((await ask(CREATE)).type, "created");
  assert.ok(seen.includes("watch") && seen.indexOf("watch") < seen.indexOf("appended"));
  assert.equal(seen.filter((what) => what === "appended").length, 5);
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(host.isIdle);
});

test("when rows cannot be written, the machine is dropped and opened again from them", async (t) => {
  t.mock.method(console, "error", () => {});
  const { rows, seen, ask } = open();
  await ask(CREATE);
  const before = await ask({ type: "timeline", from: 0, limit: 99 });
  seen.length = 0;
  rows.isFailing = true;
  assert.deepEqual(await Promise.all([ask(SAY), ask(SAY)]), [{ type: "unavailable" }, { type: "unavailable" }]);
  assert.ok(!seen.includes("appended"));
  assert.ok(seen.includes("watch"), "it is to be opened again");
  rows.isFailing = false;
  assert.deepEqual(await ask({ type: "timeline", from: 0, limit: 99 }), before);
  const said = await ask(SAY);
  assert.equal(said.type, "accepted");
  const after = await ask({ type: "timeline", from: 5, limit: 99 });
  assert.deepEqual(after.entries.map(({ position, eventId }) => [position, eventId]), [[5, said.eventId]]);
});

test("a machine that cannot be asked counts as unavailable", async (t) => {
  t.mock.method(console, "warn", () => {});
  const { host, seen, ask } = open();
  const join = { type: "member", user: HAL, membership: "join", via: ["far.example"] };
  const answer = await ask(join);
  assert.equal(answer.type, "refused");
  assert.deepEqual(seen.filter((what) => what.startsWith("ask")), [`ask account:${HAL}`, "ask peer:far.example"]);
  assert.ok(host.isIdle);
});

test("what an earlier life asked for is not handed to the next", async (t) => {
  t.mock.method(console, "error", () => {});
  const unanswered = [];
  // The first is for the creator's profile, and the room would wait for it.
  const answers = [Promise.resolve(encodeUnavailable())];
  const { rows, ask } = open({ ask: () => answers.shift() ?? new Promise((resolve) => unanswered.push(resolve)) });
  await ask(CREATE);
  const [accountOfEarlierLife] = unanswered;
  rows.isFailing = true;
  assert.equal((await ask(SAY)).type, "unavailable");
  rows.isFailing = false;
  assert.equal((await ask(SAY)).type, "accepted");

  const handed = t.mock.method(Machine.prototype, "handle");
  accountOfEarlierLife(encodeUnavailable());
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(handed.mock.callCount(), 0);
  await ask(SAY);
  assert.notEqual(handed.mock.callCount(), 0, "the count can tell");
});
