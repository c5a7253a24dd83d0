// Transactions that come twice, at once, late and in any order, as networks and senders that lost an answer make them. ORDER_SEED says which order (one made
// now, and printed).
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { dice } from "./support/dice.js";
import { eventually, Hub, saying } from "./support/hubs.js";
import { eventId, Stranger } from "./support/stranger.js";

const SEED = Number(process.env.ORDER_SEED ?? Date.now() % 2 ** 31);
const TRANSACTIONS = 12;
const EVENTS = 5;
const AT_ONCE = 4;

test("each event is appended once, those of a transaction in its order, whatever order transactions come in", async (t) => {
  console.log(`ORDER_SEED=${SEED}`);
  const roll = dice(SEED);
  const [hub, part] = [await Hub.start(t), await Hub.start(t)];
  const [witness, ...senders] = [await Stranger.start(t), await Stranger.start(t), await Stranger.start(t)];
  const room = await hub.createRoom();
  await part.join(room, part.user("ann"), [hub.name]);
  for (const stranger of [witness, ...senders]) assert.equal((await stranger.join(hub, room)).status, 200);

  await Promise.all(senders.map(async (sender, who) => {
    const prepared = Array.from({ length: TRANSACTIONS }, (_, number) => ({
      id: `order${number}`,
      pdus: Array.from({ length: EVENTS }, (_, index) => sender.message(hub, room, `${who}/${number}/${index}`)),
    }));
    // Each comes twice under its ID, and its events once more under another, among events of the next.
    const again = prepared.map(({ pdus }, number) => ({ id: `again${number}`, pdus: [...pdus.slice(2), ...(prepared[number + 1]?.pdus.slice(0, 2) ?? [])] }));
    const queue = shuffled([...prepared, ...prepared, ...again], roll);
    const answers = new Map();
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        const answer = await taken(sender, hub, next);
        assert.deepEqual(answer, answers.get(next.id) ?? answer, "one transaction has one answer");
        answers.set(next.id, answer);
      }
    }));
  }));

  await hub.say(room, hub.user("hal"), "the end");
  const log = await hub.timeline(room);
  const bodies = log.map(({ event }) => event.content.body).filter((body) => body?.includes("/"));
  assert.equal(bodies.length, senders.length * TRANSACTIONS * EVENTS);
  assert.equal(new Set(bodies).size, bodies.length, "each once");
  log.forEach(({ event }, at) => assert.deepEqual(event.prev_events, at === 0 ? [] : [log[at - 1].event_id]));
  // The end of a transaction, and the beginning of the next, may have come first under the other ID; what came in one is in its order.
  for (const [who] of senders.entries()) {
    for (let number = 0; number < TRANSACTIONS; number++) {
      for (const part of [[0, 1], [2, 3, 4]]) {
        const places = part.map((index) => bodies.indexOf(`${who}/${number}/${index}`));
        assert.deepEqual(places, [...places].sort((one, other) => one - other), `${who}/${number}`);
      }
    }
  }

  await part.shows(room, saying("the end"));
  const theirs = (await part.timeline(room)).map(({ event_id }) => event_id);
  assert.deepEqual(theirs, log.map(({ event_id }) => event_id).slice(-theirs.length), "the participant has one log with the hub");
  await eventually(() => witness.received.some(({ content }) => content.body === "the end"), "the end at a witness");
  const seen = witness.received.map(eventId);
  assert.deepEqual(seen, log.map(({ event_id }) => event_id).slice(-seen.length), "a witness is sent each once, in order");
});

/** Sends a transaction until the hub has time for it. */
async function taken(sender, hub, { id, pdus }) {
  for (;;) {
    const { status, body } = await sender.send(hub, pdus, id);
    if (status !== 429) {
      assert.deepEqual([status, body], [200, { failed_pdus: {} }]);
      return body;
    }
    await sleep(Math.min(body.retry_after_ms, 200));
  }
}

function shuffled(items, roll) {
  for (let at = items.length - 1; at > 0; at--) {
    const other = Math.floor(roll() * (at + 1));
    [items[at], items[other]] = [items[other], items[at]];
  }
  return items;
}
