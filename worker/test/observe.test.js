// What an operator sees: health, metrics, and one line of JSON for what is worth a line.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Miniflare } from "miniflare";
import { FRESH } from "./support/fresh.js";
import { settings } from "../hub.js";
import { built } from "./support/built.js";
import { eventually, freePort, Hub, temporaryFolder } from "./support/hubs.js";
import { Stranger } from "./support/stranger.js";

const { Counts } = await built("counts");
const { Reporter } = await built("reporter");

test("health is told to anybody", async (t) => {
  const hub = await Hub.start(t);
  const answer = await fetch(new URL("/_hublet/health", hub.url), { headers: FRESH });
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { status: "ok", checks: { key: "ok", storage: "ok" } });
});

test("a key that is none is told, and not what stands there in its place", async (t) => {
  const options = { name: "hub.example", signingKey: "ed25519:1 not-a-seed", oldKeys: [], token: "t", data: temporaryFolder(t), forgets: false };
  const workerd = new Miniflare(settings(options));
  t.after(() => workerd.dispose());
  const answer = await workerd.dispatchFetch("http://hub.example/_hublet/health");
  assert.equal(answer.status, 503);
  const body = await answer.text();
  assert.deepEqual(JSON.parse(body), { status: "failing", checks: { key: "failing", storage: "ok" } });
  const keys = await workerd.dispatchFetch("http://hub.example/_matrix/key/v2/server");
  assert.equal(keys.status, 503);
  assert.ok(!(body + (await keys.text())).includes("not-a-seed"));
});

test("what is counted is what happened", async (t) => {
  const hub = await Hub.start(t);
  const stranger = await Stranger.start(t);
  const room = await hub.createRoom();
  assert.equal((await stranger.join(hub, room)).status, 200);
  const good = stranger.message(hub, room, "good");
  const forged = { ...stranger.message(hub, room, "forged"), content: { body: "changed" } };
  const forbidden = stranger.lpdu(hub, { room_id: room, type: "m.room.name", state_key: "", content: { name: "mine" } });
  const sent = await stranger.send(hub, [good, forged, forbidden]);
  assert.equal(Object.keys(sent.body.failed_pdus).length, 2);
  assert.equal((await stranger.request(hub, "GET", "/_matrix/federation/v1/query/profile?user_id=@a:b", undefined, { sig: "A".repeat(86) })).status, 401);

  const expected = {
    // Five of the room's creation, the join, the message.
    hublet_events_appended_total: 7,
    'hublet_events_refused_total{rung="signatures",rule="LpduHash"}': 1,
    'hublet_events_refused_total{rung="rules",rule="LevelToSend"}': 1,
    'hublet_requests_total{endpoint="send",status="200"}': 1,
    'hublet_requests_total{endpoint="send_join",status="200"}': 1,
    'hublet_requests_refused_total{endpoint="profile",errcode="M_FORBIDDEN"}': 1,
    'hublet_request_seconds_count{endpoint="send"}': 1,
  };
  const seen = await eventually(async () => {
    const series = await hub.metrics();
    return Object.entries(expected).every(([name, value]) => series.get(name) === value) && series;
  }, JSON.stringify(expected));
  assert.ok(seen.get("hublet_module_memory_bytes") >= 1024 ** 2);
  assert.ok(seen.get('hublet_rows_written_total{machine="room"}') > 7);
  assert.ok(seen.get('hublet_store_seconds_count{machine="room"}') >= 3);
  assert.ok(seen.get('hublet_step_seconds_count{machine="room",input="ask"}') >= 3);
  assert.ok(seen.get('hublet_step_seconds_bucket{machine="room",input="ask",le="+Inf"}') >= 3);
  const answer = await fetch(new URL("/_hublet/metrics", hub.url), { headers: { ...FRESH, authorization: `Bearer ${hub.token}` } });
  assert.match(answer.headers.get("content-type"), /^text\/plain/);
  for (const line of (await answer.text()).trimEnd().split("\n")) assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{.+\})? [-+.e\d]+)$/);
  assert.equal((await hub.operator("GET", "/metrics", undefined, {})).status, 401, "metrics name peers: they are for operators");
});

test("who is behind is told, and that it has caught up", async (t) => {
  const hub = await Hub.start(t);
  const stranger = await Stranger.start(t);
  const room = await hub.createRoom();
  await stranger.join(hub, room);
  stranger.delay = 5_000;
  await hub.say(room, hub.user("hal"), "slow");
  const depth = `hublet_outbox_depth{peer="${stranger.name}",of="events"}`;
  await eventually(async () => (await hub.metrics()).get(depth) >= 1, "the depth");
  stranger.delay = 0;
  await hub.say(room, hub.user("hal"), "fast");
  await eventually(async () => (await hub.metrics()).get(depth) === undefined, "an empty outbox");
});

test("counts outlive a restart", async (t) => {
  const hub = await Hub.start(t);
  await hub.createRoom();
  const appended = async () => (await hub.metrics()).get("hublet_events_appended_total") === 5;
  await eventually(appended, "the counts");
  await new Promise((resolve) => setTimeout(resolve, 5_500));
  await hub.stop();
  await hub.resume();
  assert.ok(await appended());
});

test("lines are JSON, name who forged, and hold nothing that was said", async (t) => {
  const folder = temporaryFolder(t);
  const port = await freePort();
  const program = spawn(process.execPath, [fileURLToPath(new URL("../serve.js", import.meta.url)), "--quiet", "--port", `${port}`, "--data", folder]);
  t.after(() => program.kill("SIGKILL"));
  let said = "";
  for (const stream of [program.stdout, program.stderr]) stream.on("data", (data) => (said += data));
  await eventually(() => said.includes("serves on"), "the hub");
  const hub = Object.assign(new Hub(), { name: `localhost:${port}`, url: new URL(`http://127.0.0.1:${port}`), token: readFileSync(join(folder, "token"), "utf8").trim() });
  const stranger = await Stranger.start(t);
  const room = await hub.createRoom();
  await stranger.join(hub, room);
  const forged = { ...stranger.message(hub, room, "a secret"), content: { body: "another secret" } };
  await stranger.send(hub, [forged]);
  await stranger.request(hub, "GET", "/_matrix/federation/v1/query/profile?user_id=@secret:b", undefined, { sig: "A".repeat(86) });

  const lines = () => said.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  const found = await eventually(() => {
    const event = lines().find(({ what }) => what === "event refused");
    const request = lines().find(({ what }) => what === "request refused");
    return event && request && { event, request };
  }, "the lines");
  const { at, event: id, ...event } = found.event;
  assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000);
  assert.match(id, /^\$/);
  assert.deepEqual(event, {
    level: "warn",
    what: "event refused",
    machine: `room:${room}`,
    origin: stranger.name,
    rung: "signatures",
    rule: "LpduHash",
    errcode: "M_FORBIDDEN",
  });
  const { at: _, ...request } = found.request;
  assert.deepEqual(request, {
    level: "warn",
    what: "request refused",
    endpoint: "profile",
    status: 401,
    errcode: "M_FORBIDDEN",
    from: "127.0.0.1",
    origin: stranger.name,
  });
  assert.ok(!said.includes("secret"), said);
});

test("labels are escaped, and what could not be reported is reported later", async () => {
  const reports = [];
  let isFailing = true;
  const reporter = new Reporter(async (report) => {
    if (isFailing) throw new Error("no");
    reports.push(report);
  });
  const planned = [];
  const later = (milliseconds, then) => planned.push([milliseconds, then]);
  console.warn = () => {};
  reporter.counts.add("n", { peer: 'a"\\\nb' });
  reporter.plan(later);
  reporter.plan(later);
  assert.deepEqual(planned.map(([milliseconds]) => milliseconds), [0], "one at a time, and the first at once");
  await planned[0][1]();
  isFailing = false;
  reporter.counts.add("n", { peer: 'a"\\\nb' });
  reporter.counts.set("g", {}, 2);
  reporter.plan(later);
  assert.ok(planned[1][0] > 1_000 && planned[1][0] <= 2_000, `${planned[1][0]} ms`);
  await planned[1][1]();
  assert.deepEqual(reports, [{ counters: [['n{peer="a\\"\\\\\\nb"}', 2]], gauges: [["g", 2]] }]);
  assert.equal(new Counts().take(), undefined);
});
