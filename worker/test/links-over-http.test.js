// A link over HTTP, to a client that shares no code with the hub.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { Caller } from "./support/caller.js";
import { FRESH } from "./support/fresh.js";
import { eventually, Hub } from "./support/hubs.js";
import { Stranger } from "./support/stranger.js";

const hub = await Hub.start({ after });

const refusal = ({ status, body }) => [status, body.errcode];

/** Our answer to a request of the hub. */
const notFound = ({ id, from }) => ({ kind: "response", id, to: from, status: 404, body: JSON.stringify({ errcode: "M_NOT_FOUND", error: "there is no such room here" }) });

test("who has proved its name asks and is asked", async () => {
  const caller = await new Caller(hub).connect();
  assert.equal((await caller.send(caller.request("q1"))).status, 200);
  const answer = await caller.until("response");
  assert.deepEqual([answer.id, answer.status, JSON.parse(answer.body).server_name], ["q1", 200, hub.name]);

  const asked = caller.beAsked();
  const request = await caller.until("request");
  assert.deepEqual([request.from, request.to, request.method], [hub.name, caller.name, "GET"]);
  assert.match(request.target, /^\/_matrix\/federation\/v1\/make_join\//);
  await caller.send({ kind: "taken", id: request.id, to: hub.name }, notFound(request));
  assert.deepEqual(refusal(await asked), [404, "M_NOT_FOUND"]);
});

test("a request whose ID is too long is none", async () => {
  const caller = await new Caller(hub).connect();
  const id = "x".repeat(256);
  await caller.send(caller.request(`${id}x`), caller.request(id));
  const frames = [];
  while (!frames.some(({ kind }) => kind === "response")) frames.push(...(await caller.next()));
  assert.deepEqual(frames.map(({ kind, id }) => [kind, id.length]), [["taken", 256], ["response", 256]]);
});

test("what is asked in no name or another's is paid from an allowance, and what is asked in one's own is not", async () => {
  const [caller, other] = [await new Caller(hub).connect(), new Caller(hub)];
  const makeJoin = `/_matrix/federation/v1/make_join/${encodeURIComponent(`!none:${hub.name}`)}/${encodeURIComponent(`@a:${caller.name}`)}?ver=I.1`;
  const asked = (id, who) => ({ ...caller.request(id, makeJoin), headers: [["authorization", who.authorization(makeJoin)]] });
  const many = Array.from({ length: 320 }, (_, number) => caller.request(`${number}`));
  await caller.send(...many, asked("own", caller), asked("another's", other));
  const responses = new Map();
  while (responses.size < many.length + 2) {
    for (const { kind, id, status, body } of await caller.next()) if (kind === "response") responses.set(id, { status, body: JSON.parse(body) });
  }
  const statuses = many.map(({ id }) => responses.get(id).status);
  assert.deepEqual(statuses, [...Array(300).fill(200), ...Array(20).fill(429)]);
  assert.deepEqual(refusal(responses.get("own")), [404, "M_NOT_FOUND"]);
  assert.deepEqual(refusal(responses.get("another's")), [429, "M_LIMIT_EXCEEDED"]);
  const { retry_after_ms } = responses.get("319").body;
  assert.ok(retry_after_ms >= 1 && retry_after_ms <= 1_000, `${retry_after_ms} ms`);
});

test("an answer waits for frames, and a later POST takes its place", async () => {
  const caller = await new Caller(hub).connect();
  const [first, second] = [caller.next(), sleep(200).then(() => caller.next())];
  assert.deepEqual(await first, [], "the later POST lets the earlier go");
  const start = performance.now();
  setTimeout(() => caller.send(caller.request("q")), 200);
  assert.deepEqual((await second).map(({ kind }) => kind), ["taken"]);
  assert.ok(performance.now() - start < 5_000);
});

test("who does not prove the name that it claims is told nothing, and its session is over", async () => {
  const [caller, other] = [new Caller(hub), new Caller(hub)];
  const attempts = {
    "a wrong nonce": () => [caller.prove({ nonce: "another" })],
    "another's key": (challenge) => [other.prove(challenge)],
    "no proof": () => [{ kind: "taken", id: "1", to: hub.name }],
    "a request before the proof": (challenge) => [caller.request("1"), caller.prove(challenge)],
    "what is no frame": () => [null, 7, [], { kind: "proof" }, { kind: "proof", header: 7 }],
    "no frames": () => [],
  };
  for (const [what, frames] of Object.entries(attempts)) {
    const challenge = await caller.begin();
    assert.deepEqual(refusal(await caller.send(...frames(challenge))), [401, "M_FORBIDDEN"], what);
    assert.deepEqual(refusal(await caller.send(caller.prove(challenge))), [410, "M_NOT_FOUND"], what);
  }
});

test("a list whose answer was lost is taken once, and ours is given again until it is confirmed", async () => {
  const caller = await new Caller(hub).connect();
  const list = { heard: 1, first: 2, frames: [caller.request("once")] };
  const longer = { ...list, frames: [...list.frames, caller.request("twice")] };
  for (const body of [list, list, longer, longer]) assert.deepEqual(await caller.post(body).then(({ status, body }) => [status, body]), [200, {}]);
  caller.sent = 3;
  const frames = [];
  while (frames.length < 4) frames.push(...(await caller.next()));
  assert.deepEqual(frames.map(({ kind, id }) => `${kind} ${id}`).sort(), ["response once", "response twice", "taken once", "taken twice"]);

  await caller.send(caller.request("again"));
  const ask = async () => (await caller.post({ heard: caller.heard, first: 5, frames: [] })).body;
  const [given, again] = [await ask(), await ask()];
  assert.equal(given.first, again.first);
  assert.deepEqual(again.frames.slice(0, given.frames.length), given.frames);
});

test("what does not follow ends a session: it is begun anew", async () => {
  const caller = new Caller(hub);
  assert.deepEqual(refusal(await caller.post({ heard: 0, first: 1, frames: [] }, "none")), [410, "M_NOT_FOUND"]);
  for (const [what, body] of [["frames are missing", { heard: 1, first: 3, frames: [] }], ["heard what was never sent", { heard: 2, first: 2, frames: [] }]]) {
    await caller.connect();
    assert.deepEqual(refusal(await caller.post(body)), [409, "M_BAD_STATE"], what);
    assert.deepEqual(refusal(await caller.post({ heard: 1, first: 2, frames: [] })), [410, "M_NOT_FOUND"], what);
  }
  await caller.connect();
});

test("what is no list is refused, and the session goes on", async () => {
  const caller = await new Caller(hub).connect();
  const odd = ["", "{", "[]", "null", "7", "{}", '{"heard":1,"first":0,"frames":[]}', '{"heard":-1,"first":2,"frames":[]}', '{"heard":1.5,"first":2,"frames":[]}', '{"heard":1,"first":2,"frames":{}}'];
  for (const body of odd) assert.deepEqual(refusal(await caller.post(body)), [400, "M_BAD_JSON"], body);
  assert.deepEqual(refusal(await caller.post("x".repeat(8 * 1024 * 1024 + 1))), [413, "M_TOO_LARGE"]);
  const large = { ...caller.request("large"), body: "x".repeat(4 * 1024 * 1024 + 1) };
  assert.equal((await caller.send({ ...large, method: "PUT", target: "/_matrix/federation/v1/send/1" })).status, 200);
  assert.ok((await caller.until("response")).status >= 400);
  for (const server of ["hub.example", "a".repeat(52), `${"a".repeat(51)}.key.invalid`]) {
    assert.deepEqual(refusal(await caller.post("", undefined, server)), [400, "M_INVALID_PARAM"], server);
  }
});

test("a body that is cut off is answered as what is not available, and the session goes on", async () => {
  const caller = await new Caller(hub).connect();
  const socket = connect({ port: hub.port, host: "127.0.0.1", allowHalfOpen: true });
  const answered = text(socket);
  socket.end(`POST /_hublet/link?server=${caller.name}&session=${caller.session} HTTP/1.1\r\nHost: ${hub.name}\r\nContent-Length: 100\r\n\r\n{"heard":1,`);
  const answer = await answered;
  assert.match(answer, /^HTTP\/1.1 503 /);
  assert.match(answer, /^access-control-allow-origin: \*\r$/im);
  assert.match(answer, /"errcode":"M_UNKNOWN"/);
  await hub.logged({ what: "request failed", endpoint: "link" });
  await eventually(async () => (await hub.metrics()).get('hublet_requests_total{endpoint="link",status="503"}') === 1, "the count");
  assert.equal((await caller.send(caller.request("q"))).status, 200);
});

test("who says good-bye is gone at once, and what waits for it is unreachable", async () => {
  const caller = await new Caller(hub).connect();
  const asked = caller.beAsked();
  await caller.until("request");
  const start = performance.now();
  await caller.send({ kind: "gone", from: caller.name });
  assert.ok((await asked).status >= 500);
  assert.ok(performance.now() - start < 5_000);
  assert.deepEqual(refusal(await caller.send()), [410, "M_NOT_FOUND"]);
});

test("of several links the newest that proved its name counts, and when it is gone the one before", async () => {
  const caller = await new Caller(hub).connect();
  const socket = new WebSocket(`ws://${hub.name}/_hublet/link?server=${caller.name}`);
  const came = [];
  socket.on("message", (text) => came.push(JSON.parse(text)));
  const frames = (kind, count = 1) => eventually(() => came.filter((frame) => frame.kind === kind)[count - 1], `a frame: ${kind}`);
  socket.send(JSON.stringify(caller.prove(await frames("challenge"))));
  socket.send(JSON.stringify(caller.request("s")));
  await frames("taken");
  const first = caller.beAsked();
  const request = await frames("request");

  await caller.connect();
  const second = caller.beAsked();
  await caller.until("request");
  await caller.send({ kind: "gone", from: caller.name });
  assert.ok((await second).status >= 500, "what waits for an answer over it is unreachable at once");
  socket.send(JSON.stringify(notFound(request)));
  assert.equal((await first).status, 404, "and nothing else is");

  const third = caller.beAsked();
  await frames("request", 2);
  socket.close();
  assert.ok((await third).status >= 500);
});

test("who begins anew has lost the session before: what waits there is unreachable at once", async () => {
  const caller = await new Caller(hub).connect();
  const asked = caller.beAsked();
  await caller.until("request");
  const [start, before] = [performance.now(), caller.session];
  await caller.connect();
  assert.ok((await asked).status >= 500);
  assert.ok(performance.now() - start < 5_000);
  assert.deepEqual(refusal(await caller.post({ heard: 1, first: 2, frames: [] }, before)), [410, "M_NOT_FOUND"]);
});

test("of the sockets that prove nothing the oldest goes when there are too many", async (t) => {
  const caller = new Caller(hub);
  const sockets = [];
  const open = async () => {
    const socket = new WebSocket(`ws://${hub.name}/_hublet/link?server=${caller.name}`);
    t.after(() => socket.terminate());
    sockets.push(socket);
    const [challenge] = await once(socket, "message");
    return { socket, challenge: JSON.parse(challenge) };
  };
  const proven = await open();
  proven.socket.send(JSON.stringify(caller.prove(proven.challenge)));
  proven.socket.send(JSON.stringify(caller.request("s")));
  await once(proven.socket, "message");
  await open();
  await sleep(10);
  for (let number = 1; number < 64; number++) await open();
  const closed = () => sockets.flatMap(({ readyState }, number) => (readyState === WebSocket.OPEN ? [] : [number]));
  assert.deepEqual(closed(), []);
  await open();
  await eventually(() => closed().length > 0, "the end of the oldest");
  assert.deepEqual(closed(), [1], "the first has proved its name");
});

test("pages of any origin may open links, and nothing else", async () => {
  const caller = new Caller(hub);
  const url = new URL(`/_hublet/link?server=${caller.name}`, hub.url);
  const asked = { origin: "https://page.example", "access-control-request-method": "POST", "access-control-request-headers": "content-type" };
  const preflight = await fetch(url, { method: "OPTIONS", headers: { ...FRESH, ...asked } });
  const allowed = (headers) => ["origin", "methods", "headers"].map((what) => headers.get(`access-control-allow-${what}`));
  assert.deepEqual([preflight.ok, ...allowed(preflight.headers)], [true, "*", "POST", "content-type"]);
  assert.equal(preflight.headers.get("access-control-allow-credentials"), null);
  assert.equal((await caller.post("")).headers.get("access-control-allow-origin"), "*");
  assert.equal((await caller.post("", "none")).headers.get("access-control-allow-origin"), "*", "refusals can be read too");
  for (const path of ["/_hublet/health", "/_hublet/rooms", "/_matrix/key/v2/server"]) {
    for (const method of ["GET", "OPTIONS"]) {
      const answer = await fetch(new URL(path, hub.url), { method, headers: { ...FRESH, ...asked } });
      assert.equal(answer.headers.get("access-control-allow-origin"), null, `${method} ${path}`);
    }
  }
});

test("a hub that was away knows no session from before", async (t) => {
  const hub = await Hub.start(t);
  const caller = await new Caller(hub).connect();
  const asking = caller.next().catch((error) => error);
  await hub.kill();
  assert.ok((await asking) instanceof Error);
  await hub.resume();
  assert.deepEqual(refusal(await caller.send(caller.request("lost"))), [410, "M_NOT_FOUND"]);
  await caller.connect();
  await caller.send(caller.request("new"));
  assert.equal((await caller.until("response")).id, "new");
});

test("a flood of strangers is told to wait, and who has proved its name goes on", async (t) => {
  const hub = await Hub.start(t);
  const caller = await new Caller(hub).connect();
  await caller.send(caller.request("known"));
  const [stranger, known] = [new Caller(hub), await Stranger.start(t)];
  assert.equal((await known.join(hub, await hub.createRoom())).status, 200);
  let limited;
  for (let round = 0; round < 40 && limited === undefined; round++) {
    const answers = await Promise.all(Array.from({ length: 25 }, (_, number) => stranger.post("", number % 2 ? "guessed" : undefined)));
    limited = answers.find(({ status }) => status === 429);
  }
  assert.deepEqual(refusal(limited), [429, "M_LIMIT_EXCEEDED"]);
  assert.ok(limited.body.retry_after_ms >= 1 && limited.body.retry_after_ms <= 1_000, JSON.stringify(limited.body));
  assert.equal(limited.headers.get("access-control-allow-origin"), "*");
  const burst = async (session, server) => (await Promise.all(Array.from({ length: 25 }, () => stranger.post("", session, server)))).map(({ status }) => status);
  assert.ok((await burst(caller.session)).includes(429), "a session is known as one of its server alone");
  assert.ok((await burst(known.name)).includes(429), "no server's name is a session");
  assert.equal((await caller.until("response")).id, "known");
  assert.equal((await caller.send(caller.request("still"))).status, 200);
});
