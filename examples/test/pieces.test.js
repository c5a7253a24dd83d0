// The participant's parts, one by one: key file, links, chain, printing, commands.
import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { publicKey } from "hublet";
import { free } from "../chat/ports.js";
import { Chain } from "../participant/checks.js";
import { Session } from "../participant/commands.js";
import { listen } from "../participant/inbound.js";
import { openKey, sign } from "../participant/key-file.js";
import { send } from "../participant/outbound.js";
import { line } from "../participant/printing.js";
import { RoomList } from "../participant/room-list.js";
import { folder, Listener } from "./support.js";

const GET = { method: "GET", target: "/x?y=1", headers: [["x-a", "1"]], body: new Uint8Array() };

test("a key is made once, for its owner's eyes only", (context) => {
  const data = join(folder(context), "new", "folder");
  const made = openKey(data);
  assert.equal(made.isNew, true);
  assert.match(made.keyId, /^ed25519:[0-9a-f]{6}$/);
  assert.equal(statSync(join(data, "signing.key")).mode & 0o777, 0o600);
  assert.equal(statSync(data).mode & 0o777, 0o700);
  assert.deepEqual(openKey(data), { ...made, isNew: false });
  assert.notDeepEqual(openKey(folder(context)).seed, made.seed);
});

test("a key that others may read, and half a key, are not used", (context) => {
  const data = folder(context);
  const path = join(data, "signing.key");
  openKey(data);
  const text = readFileSync(path, "utf8");
  chmodSync(path, 0o640);
  assert.throws(() => openKey(data), /may be read by others: chmod 600/);
  chmodSync(path, 0o600);
  for (const broken of ["", text.slice(0, 30), `${text}x`, text.replace("ed25519:", "rsa:")]) {
    writeFileSync(path, broken);
    assert.throws(() => openKey(data), /holds no key/, broken);
    assert.equal(readFileSync(path, "utf8"), broken, "and is left as it is");
  }
});

test("a signature by the seed is right by the key that the core publishes", (context) => {
  const { seed } = openKey(folder(context));
  const message = new TextEncoder().encode("hello");
  const x = Buffer.from(publicKey(seed), "base64").toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  assert.ok(verify(null, message, key, sign(seed, message)));
  assert.ok(!verify(null, new TextEncoder().encode("hallo"), key, sign(seed, message)));
});

/** A plain HTTP server with a behaviour. */
async function server(context, behave) {
  const plain = createServer(behave);
  await new Promise((listening) => plain.listen(0, "127.0.0.1", listening));
  context.after(() => {
    plain.closeAllConnections();
    plain.close();
  });
  return `localhost:${plain.address().port}`;
}

test("a request goes out as it is, and the whole answer comes back", async (context) => {
  const seen = [];
  const name = await server(context, async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    seen.push([request.method, request.url, request.headers["x-a"], request.headers.host, body]);
    response.writeHead(request.method === "GET" ? 200 : 403).end("{}");
  });
  const body = new TextEncoder().encode('{"a":1}');
  const answer = (status) => ({ response: { status, body: new TextEncoder().encode("{}") } });
  assert.deepEqual(await send(name, GET), answer(200));
  assert.deepEqual(await send(name, { ...GET, method: "PUT", body }), answer(403));
  assert.deepEqual(seen, [["GET", "/x?y=1", "1", name, ""], ["PUT", "/x?y=1", "1", name, '{"a":1}']]);
});

test("what a request may meet outside", async (context) => {
  const name = await server(context, (request, response) => {
    if (request.url === "/redirect") response.writeHead(302, { location: "/answer" }).end("{}");
    else if (request.url === "/large") response.end("x".repeat(100));
    else if (request.url === "/endless") setInterval(() => response.write("x"), 5).unref();
    else if (request.url === "/cut") response.writeHead(200, { "content-length": 100 }).write("x", () => response.destroy());
    else if (request.url === "/hang-up") request.socket.destroy();
    else if (request.url === "/answer") response.end("{}");
  });
  const at = (target, limits) => send(name, { ...GET, target }, { longest: 300, largest: 50, ...limits });
  assert.equal((await at("/redirect")).response.status, 302, "an answer counts only from where it was asked");
  assert.deepEqual(await at("/large"), { error: "too_large" });
  assert.deepEqual(await at("/endless", { largest: 1_000_000 }), { error: "timed_out" });
  assert.deepEqual(await at("/silent"), { error: "timed_out" });
  assert.deepEqual(await at("/cut"), { error: "timed_out" });
  assert.deepEqual(await at("/hang-up"), { error: "timed_out" }, "it may have been dealt with");
  // What would be sent in another form than it was signed in, or to somewhere else.
  for (const target of ["/a/../b", "/a b", "no-slash", "@localhost:1/", "/%", "/a#b"]) {
    const came = await at(target);
    if (target === "/%") assert.deepEqual(came, { error: "timed_out" }, "odd, but unchanged");
    else assert.deepEqual(came, { error: "unreachable" }, target);
  }
  const nobody = `localhost:${(await free([0]))[0]}`;
  for (const elsewhere of ["example.org", "localhost", "localhost:99999", "127.0.0.1:80", "x@localhost:80", nobody]) {
    assert.deepEqual(await send(elsewhere, GET), { error: "unreachable" }, elsewhere);
  }
});

test("a request comes in as it was sent; one that is too large or that fails is answered", async (context) => {
  let seen;
  const link = await listen(0, async (request) => {
    if (request.target === "/fail") throw new Error("no");
    seen = request;
    return { status: 201, body: new TextEncoder().encode('{"ok":true}') };
  });
  context.after(link.close);
  const url = `http://127.0.0.1:${link.port}`;
  const answer = await fetch(`${url}/a%2Fb?c=d`, { method: "PUT", headers: { "X-Name": "v" }, body: "{}" });
  assert.deepEqual([answer.status, answer.headers.get("content-type"), await answer.json()], [201, "application/json", { ok: true }]);
  assert.deepEqual([seen.method, seen.target, new TextDecoder().decode(seen.body)], ["PUT", "/a%2Fb?c=d", "{}"]);
  assert.ok(seen.headers.some(([name, value]) => name.toLowerCase() === "x-name" && value === "v"));
  const large = await fetch(url, { method: "POST", body: new Uint8Array((8 << 20) + 1) });
  assert.deepEqual([large.status, (await large.json()).errcode], [413, "M_TOO_LARGE"]);
  const failed = await fetch(`${url}/fail`);
  assert.deepEqual([failed.status, (await failed.json()).errcode], [500, "M_UNKNOWN"]);
  await assert.rejects(listen(link.port, async () => ({ status: 200, body: new Uint8Array() })), /port \d+ is taken: .*--port/);
});

test("the core answers strangers as the protocol says", async (context) => {
  const ann = await Listener.start(context, "ann");
  const url = `http://127.0.0.1:${ann.port}`;
  const cases = [
    ["GET", "/nothing", 404, "M_UNRECOGNIZED"],
    ["DELETE", "/_matrix/key/v2/server", 405, "M_UNRECOGNIZED"],
    ["PUT", "/_matrix/federation/v2/send/1", 401, "M_FORBIDDEN"],
  ];
  for (const [method, target, status, errcode] of cases) {
    const answer = await fetch(url + target, { method, body: method === "PUT" ? "{}" : undefined });
    assert.deepEqual([answer.status, (await answer.json()).errcode], [status, errcode], target);
  }
  const keys = await (await fetch(`${url}/_matrix/key/v2/server`)).json();
  assert.equal(keys.server_name, ann.name);
  assert.deepEqual(Object.keys(keys.verify_keys), [ann.of("ready")[0].keyId]);
  const found = await (await fetch(`${url}/.well-known/matrix/server`)).json();
  assert.deepEqual(found, { "m.server": ann.name });
});

test("a list of rooms outlives its process, and a broken one is not taken for an empty one", (context) => {
  const data = folder(context);
  new RoomList(data).add("!a:b", ["b"]);
  const again = new RoomList(data);
  again.add("!c:d", []);
  again.remove("!a:b");
  again.remove("!not:there");
  assert.deepEqual([...new RoomList(data).rooms], [["!c:d", []]]);
  writeFileSync(join(data, "rooms.json"), "{");
  assert.throws(() => new RoomList(data), /cannot be read/);
});

/** Notifications of a log: each event names the one before. */
function appended(position, eventId, prev, flags = {}) {
  const event = new TextEncoder().encode(JSON.stringify({ prev_events: prev, content: {} }));
  return { type: "appended", roomId: "!r:s", position, eventId, event, senderVerified: true, intact: true, ...flags };
}

test("a line is marked with what was checked, and nothing else", () => {
  const chain = new Chain();
  const marks = (fact) => Object.entries(fact.checks).filter(([, verdict]) => verdict !== "passed").map(([name, verdict]) => `${name} ${verdict}`);
  assert.deepEqual(marks(chain.append(appended(0, "$0", ["$-1"]))), ["chain not run"], "a join begins the log");
  assert.deepEqual(marks(chain.append(appended(1, "$1", ["$0"]))), []);
  assert.deepEqual(marks(chain.append(appended(2, "$2", ["$1"], { senderVerified: false }))), ["sender not run"]);
  assert.deepEqual(marks(chain.append(appended(3, "$3", ["$2"], { intact: false }))), ["hash failed"]);
  assert.deepEqual(marks(chain.append(appended(4, "$4", ["$2"]))), ["chain failed"], "a fork");
  assert.deepEqual(marks(chain.append(appended(5, "$5", ["$4", "$3"]))), ["chain failed"], "two at once");
  chain.reject("$6");
  assert.deepEqual(marks(chain.append(appended(7, "$7", ["$6"]))), [], "a link keeps the chain");
  chain.hole("$8");
  assert.deepEqual(marks(chain.append(appended(9, "$9", ["$8"]))), ["chain failed"], "nobody saw what it follows");
  assert.deepEqual(marks(chain.append(appended(11, "$11", ["$?"]))), ["chain not run"], "a join after an absence");
  const earlier = [
    appended(-4, "$other", ["$-5"], { authorized: true }),
    appended(-3, "$-3", ["$-4"], { authorized: true }),
    appended(-2, "$-2", ["$-3"], { authorized: false }),
    appended(-1, "$-1", ["$-2"], { authorized: true }),
  ];
  const facts = chain.prepend("!r:s", earlier);
  assert.deepEqual(facts.map(({ position }) => position), [-4, -3, -2, -1]);
  assert.deepEqual(facts.map(marks), [["chain failed"], [], ["rules not run"], []]);
  chain.hole("$-5");
  assert.deepEqual(marks(chain.append(appended(12, "$12", ["$11"]))), [], "a hole before our log leaves its end as it was");
  assert.deepEqual(new Chain().prepend("!r:s", []), []);
});

test("what others write cannot steer the terminal", () => {
  const checks = { schema: "passed", hash: "failed", sender: "not run", hub: "passed", rules: "passed", chain: "passed" };
  const event = { type: "m.room.message", sender: "@a:b", content: { body: "red\u001b[31m\r\n\u202e!" } };
  const told = { type: "event", roomId: "!room:b", position: 7, eventId: "$", lpduId: undefined, isHistory: false, event, checks };
  assert.equal(line(told).replace(/ +\[✓/, " [✓"), "!room      7 @a:b: red�[31m���! [✓schema ✗hash ·sender ✓hub ✓rules ✓chain]");
  assert.match(line({ ...told, event: { ...event, content: {} } }), /\(removed\)/);
  assert.match(line({ type: "failed", what: "join", error: "a\nb" }), /^join: a�b$/);
});

test("commands that make no sense say how they are used", async (context) => {
  const ann = await Listener.start(context, "ann");
  const session = new Session(ann.participant);
  const cases = [
    ["dance", /there is no command "dance": type help/],
    ["constructor", /there is no command/],
    ["join", /usage: join !room:server/],
    ["join lobby", /usage: join/],
    ["say hello", /name a room, or join one first/],
    ["say !r:localhost:1", /usage: say/],
    ["say !r:localhost:1 hello", /404 M_NOT_FOUND/],
    ["say hello", /404 M_NOT_FOUND/],
    ["say !not_valid:localhost:1 x", /./],
    ["invite !r:localhost:1 bob", /usage: invite/],
    ["export !r:localhost:1", /usage: export/],
  ];
  for (const [typed, expected] of cases) await assert.rejects(session.run(typed), expected, typed);
  assert.deepEqual(await session.run("rooms"), []);
  assert.match((await session.run("help")).join("\n"), /join !room:server.*\n.*say/);
});
