// The loop around the core, by itself: what goes wrong outside, and what a caller gets wrong.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HubletError, MemoryStore, roomId } from "hublet";
import { Host } from "../participant/host.js";

const NAME = "localhost:1";
const ROOM = roomId(NAME, new Uint8Array(16));
const CREATE = { type: "create", creator: `@hal:${NAME}`, public: true };
const SAY = { type: "send", sender: `@hal:${NAME}`, kind: "m.room.message", content: "{}" };

/** A host whose store is told to fail by `broken.now`. */
function host(context, send = async () => ({ error: "unreachable" })) {
  const told = [];
  const broken = { now: false };
  const openStore = () => {
    const store = new MemoryStore();
    return {
      apply(batch) {
        if (broken.now) throw new Error("the disk is full");
        store.apply(batch);
      },
      read: (queries) => store.read(queries),
      free: () => store.free(),
    };
  };
  const outside = { send, sign: () => assert.fail("the core holds the key"), notify: (notification) => told.push(notification) };
  const made = new Host({ name: NAME, keyId: "ed25519:1", seed: new Uint8Array(32).fill(7) }, outside, openStore);
  context.after(() => made.close());
  return { made, told, broken };
}

test("what could not be stored did not happen, and can be asked for again", async (context) => {
  const { made, told, broken } = host(context);
  broken.now = true;
  assert.deepEqual(await made.ask(`room:${ROOM}`, CREATE), { type: "unavailable" });
  assert.deepEqual(told, [], "nothing leaves that is not durable");
  broken.now = false;
  assert.deepEqual(await made.ask(`room:${ROOM}`, CREATE), { type: "created", roomId: ROOM });
  assert.equal((await made.ask(`room:${ROOM}`, SAY)).type, "accepted");
  broken.now = true;
  assert.deepEqual(await made.ask(`room:${ROOM}`, SAY), { type: "unavailable" });
  broken.now = false;
  const { entries } = await made.ask(`room:${ROOM}`, { type: "timeline", from: 0, limit: 99 });
  assert.deepEqual(entries.map(({ eventId }) => eventId), told.map(({ eventId }) => eventId), "told of what is there, and of nothing else");
});

test("a call that cannot be read is refused to its caller, and the loop goes on", async (context) => {
  const { made } = host(context);
  const calls = [
    ["room:!no room", CREATE],
    ["nowhere", CREATE],
    [`room:${ROOM}`, { type: "dance" }],
    [`room:${ROOM}`, { ...SAY, content: "{" }],
    [`room:${ROOM}`, { type: "timeline", from: 0.5, limit: -1 }],
  ];
  for (const [to, call] of calls) {
    await assert.rejects(made.ask(to, call), (error) => error instanceof HubletError && error.code === "argument", JSON.stringify(call));
  }
  await assert.rejects(made.serve({ method: "G T", target: "/", headers: [], body: new Uint8Array() }), HubletError);
  assert.equal((await made.ask(`room:${ROOM}`, CREATE)).type, "created");
});

test("calls made while an answer is being told of are dealt with in turn", async (context) => {
  const { made } = host(context);
  const answers = await Promise.all([CREATE, SAY, SAY, { type: "timeline", from: 0, limit: 99 }].map((call) => made.ask(`room:${ROOM}`, call)));
  assert.deepEqual(answers.map(({ type }) => type), ["created", "accepted", "accepted", "entries"]);
});

test("a server that cannot be reached, and an end while it is asked", async (context) => {
  const member = { type: "member", user: `@hal:${NAME}`, membership: "join", via: [] };
  const away = "room:!away:localhost:2";
  const asked = [];
  const { made } = host(context, async (server, { method, target }) => {
    asked.push([server, method, target.split("/")[4]]);
    return { error: "unreachable" };
  });
  const refused = await made.ask(away, member);
  assert.deepEqual([refused.type, refused.status], ["refused", 502]);
  assert.deepEqual(asked, [["localhost:2", "GET", "make_join"]]);
  const silent = host(context, () => new Promise(() => {})).made;
  const answer = silent.ask(away, member);
  silent.close();
  assert.deepEqual(await answer, { type: "unavailable" });
  assert.deepEqual(await silent.ask(away, member), { type: "unavailable" });
});
