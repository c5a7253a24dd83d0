// A room leaves a hub as a file and comes back from it, and the file can be audited without any hub.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { FRESH } from "./support/fresh.js";
import { Hub, saying, temporaryFolder } from "./support/hubs.js";
import { Stranger } from "./support/stranger.js";

const AUDIT = fileURLToPath(new URL("../../target/debug/examples/verify_log", import.meta.url));

const at = (room, what) => `/rooms/${encodeURIComponent(room)}/${what}`;

/** A hub, a participant of another server and a stranger, and what they said, one thing of it taken back. */
async function lively(t) {
  const hub = await Hub.start(t);
  const part = await Hub.start(t);
  const stranger = await Stranger.start(t);
  const room = await hub.createRoom({ name: "A room" });
  await part.join(room, part.user("ann"), [hub.name]);
  assert.equal((await stranger.join(hub, room)).status, 200);
  const secret = await hub.say(room, hub.user("hal"), "secret");
  await hub.must("POST", at(room, "events"), { sender: hub.user("hal"), type: "m.room.redaction", content: { "hublet.redacts": secret } });
  // More than one page, both ways.
  for (let sent = 0; sent < 400; sent += 50) {
    const pdus = Array.from({ length: 50 }, (_, index) => stranger.message(hub, room, `${sent + index} ${"and so on ".repeat(60)}`));
    assert.deepEqual((await stranger.send(hub, pdus)).body, { failed_pdus: {} });
  }
  await part.say(room, part.user("ann"), "from the participant");
  await hub.shows(room, saying("from the participant"));
  return { hub, part, stranger, room };
}

async function fetched(hub, path, init = {}) {
  const answer = await fetch(new URL(`/_hublet${path}`, hub.url), { headers: { ...FRESH, authorization: `Bearer ${hub.token}` }, duplex: "half", ...init });
  return { status: answer.status, type: answer.headers.get("content-type"), text: await answer.text() };
}

const imported = async (hub, room, body) => {
  const { status, text } = await fetched(hub, at(room, "import"), { method: "POST", body });
  return { status, body: JSON.parse(text) };
};

/** The hub's storage is gone; its key is not. */
async function loseEverything(hub) {
  await hub.stop();
  rmSync(join(hub.data, "storage"), { recursive: true });
  await hub.resume();
}

test("a lost room is restored from its export, and goes on", async (t) => {
  const { hub, part, stranger, room } = await lively(t);
  const log = await hub.timeline(room);
  const exported = await fetched(hub, at(room, "export"));
  assert.deepEqual([exported.status, exported.type], [200, "application/x-ndjson"]);
  const lines = exported.text.trimEnd().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line)), await wholeLog(hub, room));
  assert.ok(!exported.text.includes("secret"), "what was taken back is not in it");

  const there = await imported(hub, room, exported.text);
  assert.deepEqual([there.status, there.body.errcode], [400, "M_BAD_STATE"], "what is there is not overwritten");

  await loseEverything(hub);
  assert.equal((await fetched(hub, at(room, "export"))).status, 404);
  const broken = lines.map((line, index) => (index === 350 ? line.replace("and so on", "and so off") : line)).join("\n");
  const refused = await imported(hub, room, broken);
  assert.deepEqual([refused.status, refused.body.errcode], [400, "M_FORBIDDEN"]);
  assert.match(refused.body.error, /^line 351: hash: /);
  assert.equal((await fetched(hub, at(room, "export"))).status, 404, "nothing of it is left");

  const headless = await imported(hub, room, lines.slice(1).join("\n"));
  assert.deepEqual([headless.status, headless.body.errcode], [400, "M_FORBIDDEN"]);
  assert.match(headless.body.error, /^line 1: .*a log begins with the room's m\.room\.create/);
  assert.equal((await fetched(hub, at(room, "export"))).status, 404);

  const taken = await imported(hub, room, exported.text);
  assert.deepEqual(taken, { status: 200, body: { room_id: room, events: lines.length, head: log.at(-1).event_id } });
  assert.equal((await fetched(hub, at(room, "export"))).text, exported.text, "byte for byte");
  assert.deepEqual(await hub.timeline(room), log);

  await hub.say(room, hub.user("hal"), "restored");
  await part.shows(room, saying("restored"));
  await part.say(room, part.user("ann"), "thanks");
  await waitFor(hub, room, "thanks");
  assert.deepEqual((await stranger.send(hub, [stranger.message(hub, room, "me too")])).body, { failed_pdus: {} });
  await waitFor(hub, room, "me too");
});

test("the export and the keys satisfy verify_log", { skip: !existsSync(AUDIT) && "verify_log is not built" }, async (t) => {
  const { hub, part, stranger, room } = await lively(t);
  const folder = temporaryFolder(t);
  const keys = await fetched(hub, at(room, "keys"));
  assert.deepEqual(Object.keys(JSON.parse(keys.text)), [hub.name, part.name, stranger.name].sort());
  assert.equal(JSON.parse(keys.text)[stranger.name]["ed25519:1"], stranger.publicKey);
  const log = await fetched(hub, at(room, "export"));
  const audit = async (keys, log) => {
    const [keyFile, logFile] = [join(folder, "keys.json"), join(folder, "room.jsonl")];
    writeFileSync(keyFile, keys);
    writeFileSync(logFile, log);
    return promisify(execFile)(AUDIT, [keyFile, logFile], { maxBuffer: 1 << 24 }).catch((error) => error);
  };
  const { stdout, code } = await audit(keys.text, log.text);
  assert.equal(code, undefined, stdout);
  assert.match(stdout, / 0 failed, the last is \$/);
  const forged = await audit(keys.text, log.text.replace("and so on", "and so off"));
  assert.equal(forged.code, 1, "the audit can fail");
});

test("export, keys and import ask for the token and for a room", async (t) => {
  const hub = await Hub.start(t);
  const nowhere = `!nothing:${hub.name}`;
  for (const [method, what] of [["GET", "export"], ["GET", "keys"], ["POST", "import"]]) {
    const open = await hub.operator(method, at(nowhere, what), undefined, {});
    assert.deepEqual([open.status, open.body.errcode], [401, "M_FORBIDDEN"]);
    const malformed = await hub.operator(method, at("nothing", what));
    assert.deepEqual([malformed.status, malformed.body.errcode], [400, "M_INVALID_PARAM"]);
    const empty = await hub.operator(method, at(nowhere, what));
    assert.deepEqual([empty.status, empty.body.errcode], method === "GET" ? [404, "M_NOT_FOUND"] : [400, "M_FORBIDDEN"]);
  }
  for (const body of ["{", "nothing", "\n\n", '{"type":"m.room.create"}', "x".repeat(600_000)]) {
    const { status, body: refused } = await imported(hub, nowhere, body);
    assert.deepEqual([status, refused.errcode], [400, "M_FORBIDDEN"], JSON.stringify(refused));
    assert.match(refused.error, /^line 1: schema: /);
  }
});

async function wholeLog(hub, room) {
  const { events } = await hub.must("GET", at(room, "timeline?from=0&limit=500"));
  return events.map(({ event }) => event);
}


const waitFor = (hub, room, body) => hub.shows(room, saying(body));
