// Time that passes or jumps: peers that were away for long, clocks that are set. The hub's clock is moved, as development mode allows; nobody waits for hours.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Miniflare } from "miniflare";
import { settings } from "../hub.js";
import { eventually, Hub, saying, temporaryFolder } from "./support/hubs.js";
import { eventId, Stranger } from "./support/stranger.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A hub whose clock can be moved. */
async function start(t) {
  const hub = await Hub.start(t);
  let ahead = 0;
  const pass = async (milliseconds) => hub.must("POST", "/clock", { ahead_ms: (ahead += milliseconds) });
  await pass(0);
  return { hub, pass };
}

const bodies = (stranger) => stranger.received.map(({ content }) => content.body).filter(Boolean);

/** What came, each once: answers that were lost let the same come again. */
const once = (stranger) => [...new Set(bodies(stranger))];

/** While it is not up, transactions get no answer; how often it was tried. */
class Away extends Stranger {
  isUp = true;
  tries = 0;

  receive(pdus) {
    if (this.isUp) return super.receive(pdus);
    this.tries += 1;
    this.faults.unshift("cut");
  }
}

test("a peer that was away until its waits had reached an hour gets everything, in order", async (t) => {
  const { hub, pass } = await start(t);
  const [peer, witness] = [await Away.start(t), await Stranger.start(t)];
  const room = await hub.createRoom();
  for (const stranger of [peer, witness]) assert.equal((await stranger.join(hub, room)).status, 200);
  peer.isUp = false;
  const said = [];
  const say = async (body) => said.push(body) && hub.say(room, hub.user("hal"), body);
  await say("before");
  await eventually(() => peer.tries === 1, "the first attempt");

  // Waits double from two seconds on, each by chance at least half of that: after twelve failures they are at their limit.
  for (let hours = 1; peer.tries < 13; hours++) {
    assert.ok(hours < 40, `${peer.tries} attempts`);
    await pass(HOUR);
    await say(`in hour ${hours}`);
    await eventually(() => peer.tries > hours, `attempt ${hours + 1}`);
    assert.equal(peer.tries, hours + 1, "one attempt an hour once waits are long, or the first is due at once");
  }
  const { tries } = peer;
  await pass(29 * MINUTE);
  await say("half an hour later");
  await sleep(1_500);
  assert.equal(peer.tries, tries, "no attempt before half of the longest wait");
  assert.deepEqual(once(witness), said, "who is there is not kept waiting by who is not");

  peer.isUp = true;
  await pass(32 * MINUTE);
  await eventually(() => once(peer).length === said.length, "everything");
  assert.deepEqual(once(peer), said);
  await say("after");
  await eventually(() => once(peer).at(-1) === "after", "what is said now, without a wait");
});

test("a clock that jumps ahead and back stops nobody", async (t) => {
  const { hub, pass } = await start(t);
  const part = await Hub.start(t);
  const [peer, away] = [await Stranger.start(t), await Away.start(t)];
  peer.keysHold = away.keysHold = 30 * 24 * HOUR;
  const room = await hub.createRoom();
  for (const stranger of [peer, away]) assert.equal((await stranger.join(hub, room)).status, 200);
  await part.join(room, part.user("ann"), [hub.name]);
  away.isUp = false;
  const everybody = async (body, ...who) => {
    await part.shows(room, saying(body));
    for (const stranger of who) await eventually(() => bodies(stranger).includes(body), `${body} at a stranger`);
  };
  for (const [jump, name] of [[0, "at first"], [6 * HOUR, "hours later"], [-12 * HOUR, "hours earlier"]]) {
    await pass(jump);
    if (name === "hours earlier") away.isUp = true;
    await hub.say(room, hub.user("hal"), `${name}, from the hub`);
    assert.deepEqual((await peer.send(hub, [peer.message(hub, room, `${name}, from a stranger`)])).body, { failed_pdus: {} });
    await part.say(room, part.user("ann"), `${name}, from the participant`);
    for (const author of ["the hub", "a stranger", "the participant"]) await everybody(`${name}, from ${author}`, peer);
    await eventually(() => away.isUp || away.tries > 0, "an attempt");
  }
  // It failed by the later clock. By the earlier one its next attempt would be due in half a day.
  await everybody("hours earlier, from the hub", away);
  const log = await hub.timeline(room);
  log.forEach(({ event, event_id }, at) => {
    assert.equal(eventId(event), event_id);
    assert.deepEqual(event.prev_events, at === 0 ? [] : [log[at - 1].event_id]);
  });
});

test("the clock can be moved in development only", async (t) => {
  const hub = await Hub.start(t);
  const wrong = await hub.operator("POST", "/clock", { ahead_ms: 1.5 });
  assert.deepEqual([wrong.status, wrong.body.errcode], [400, "M_BAD_JSON"]);
  const { HUBLET_DEVELOPMENT: _, ...bindings } = settings({ name: "hub.example", signingKey: `ed25519:1 ${"A".repeat(43)}=`, oldKeys: [], token: "t", data: temporaryFolder(t), forgets: false }).bindings;
  const workerd = new Miniflare({ ...settings({ name: "hub.example", signingKey: "", oldKeys: [], token: "t", data: temporaryFolder(t), forgets: false }), bindings });
  t.after(() => workerd.dispose());
  const answer = await workerd.dispatchFetch("http://hub.example/_hublet/clock", { method: "POST", headers: { authorization: "Bearer t" }, body: '{"ahead_ms":1}' });
  assert.deepEqual([answer.status, (await answer.json()).errcode], [404, "M_UNRECOGNIZED"]);
});
