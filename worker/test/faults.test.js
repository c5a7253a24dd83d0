// The hub is killed in the middle of its work. What it acknowledged is there afterwards, once and in order, and reaches everybody.
// FAULTS_KILLS says how often (10), FAULTS_SEED when (one made now, and printed).
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { dice } from "./support/dice.js";
import { eventually, Hub } from "./support/hubs.js";
import { eventId, Stranger } from "./support/stranger.js";

const KILLS = Number(process.env.FAULTS_KILLS ?? 10);
const SEED = Number(process.env.FAULTS_SEED ?? Date.now() % 2 ** 31);

/** Between two kills the hub works for at most so long, in milliseconds. */
const LONGEST_WORK = 600;

/** How long what has to be sent again may take, in milliseconds. */
const PATIENCE = 120_000;

const bodyOf = (event) => event?.content.body;

test(`a hub killed ${KILLS} times loses nothing that it acknowledged`, async (t) => {
  const roll = dice(SEED);
  console.log(`FAULTS_SEED=${SEED} FAULTS_KILLS=${KILLS}`);
  const hub = await Hub.start(t);
  const part = await Hub.start(t);
  const senders = [await Stranger.start(t), await Stranger.start(t), await Stranger.start(t)];
  const room = await hub.createRoom();
  await part.join(room, part.user("ann"), [hub.name]);
  for (const sender of senders) assert.equal((await sender.join(hub, room)).status, 200);

  const load = { isOver: false, acknowledged: [] };
  const loads = [...senders.map((sender, number) => transactions(hub, room, sender, number, load)), operators(hub, room, load), participants(part, room, load)];
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      await sleep(50 + roll() * LONGEST_WORK);
      await hub.kill();
      await hub.resume();
    }
    await sleep(200);
  } finally {
    // Also when the hub does not come back, so that this is told and nobody sends for ever.
    load.isOver = true;
  }
  await Promise.all(loads);

  // A participant's server that was turned away comes back after a while.
  const last = load.acknowledged.filter((body) => authorOf(body) === "participant").at(-1);
  await eventually(async () => (await wholeLog(hub, room)).some(({ event }) => bodyOf(event) === last), "what the participant sent", PATIENCE);

  // Those who are owed something would be told within a minute; an event more tells them now.
  await hub.say(room, hub.user("hal"), "the end");
  const log = await wholeLog(hub, room);
  const { lost, duplicated } = compare(load.acknowledged, log.map(({ event }) => bodyOf(event)));
  console.log(`acknowledged ${load.acknowledged.length}, lost ${lost.length}, duplicated ${duplicated.length}`);
  assert.deepEqual([lost, duplicated], [[], []], `FAULTS_SEED=${SEED}`);
  assert.ok(load.acknowledged.length > KILLS, "there was a load");
  log.forEach(({ event, event_id }, at) => {
    assert.equal(eventId(event), event_id);
    assert.deepEqual(event.prev_events, at === 0 ? [] : [log[at - 1].event_id]);
  });
  for (const author of new Set(load.acknowledged.map(authorOf))) {
    const numbers = log.map(({ event }) => bodyOf(event)).filter((body) => body && authorOf(body) === author).map(numberOf);
    assert.deepEqual(numbers, [...numbers].sort((one, other) => one - other), `${author} in order`);
  }

  const ids = log.map(({ event_id }) => event_id);
  for (const sender of senders) {
    await eventually(() => sender.received.some((event) => bodyOf(event) === "the end"), "the end at a sender", PATIENCE);
    const received = new Set(sender.received.map(eventId));
    const missing = ids.slice(ids.indexOf(sender.joined) + 1).filter((id) => !received.has(id));
    assert.deepEqual(missing, []);
  }
  await eventually(async () => (await wholeLog(part, room)).some(({ event }) => bodyOf(event) === "the end"), "the end at the participant", PATIENCE);
  const theirs = (await wholeLog(part, room)).map(({ event_id }) => event_id);
  assert.deepEqual(theirs, ids.slice(-theirs.length), "the participant has one log with the hub");
});

/** Transactions of one to ten events, each sent until it is answered; what the answer does not name as failed is acknowledged. */
async function transactions(hub, room, sender, number, load) {
  for (let next = 0; !load.isOver; ) {
    const pdus = Array.from({ length: 1 + (next % 10) }, () => sender.message(hub, room, `server${number}/${next++}`));
    const { status, body } = await sender.sendUntilAnswered(hub, pdus);
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(body.failed_pdus, {});
    load.acknowledged.push(...pdus.map(bodyOf));
  }
}

/** An operator does not repeat what had no answer: it may be there or not. */
async function operators(hub, room, load) {
  for (let next = 0; !load.isOver; next++) {
    const body = `operator/${next}`;
    const answer = await hub.say(room, hub.user("hal"), body).catch(() => undefined);
    if (answer === undefined) await sleep(50);
    else load.acknowledged.push(body);
  }
}

/** What the participant's server took it delivers, whatever becomes of the hub meanwhile. */
async function participants(part, room, load) {
  for (let next = 0; !load.isOver; next++) {
    const body = `participant/${next}`;
    await part.say(room, part.user("ann"), body);
    load.acknowledged.push(body);
    await sleep(100);
  }
}

async function wholeLog(hub, room) {
  const log = [];
  for (let from = 0; ; from = log.at(-1).position + 1) {
    const { events } = await hub.must("GET", `/rooms/${encodeURIComponent(room)}/timeline?from=${from}&limit=500`);
    if (events.length === 0) return log;
    log.push(...events);
  }
}

function compare(acknowledged, log) {
  const count = new Map();
  for (const body of log) count.set(body, (count.get(body) ?? 0) + 1);
  count.delete(undefined);
  return {
    lost: acknowledged.filter((body) => !count.has(body)),
    duplicated: [...count].filter(([, times]) => times > 1).map(([body]) => body),
  };
}

const authorOf = (body) => body.split("/")[0];
const numberOf = (body) => Number(body.split("/")[1]);
