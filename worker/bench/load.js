// What the hub bears in workerd with its rows on disk, asked over HTTP from another process on this machine. LOAD_EVENTS says how many events (100,000),
// LOAD_SERVERS how many servers are in the large room (1,000). LOAD_PROFILE=1 tells where the appends spend their time, and leaves the rest out.
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Crowd } from "./load/crowd.js";
import { median, memoryOf, moduleOf, print, processorOf, quantile, timed } from "./load/figures.js";
import { Generator } from "./load/generator.js";
import { profile } from "./load/profile.js";
import { freePort, Hub } from "../test/support/hubs.js";

const EVENTS = Number(process.env.LOAD_EVENTS ?? 100_000);
const GENERATORS = 4;
const AT_ONCE = 50;
/** Transactions of each generator in one round. */
const TRANSACTIONS = 25;
const ROUND = GENERATORS * TRANSACTIONS * AT_ONCE;
const MESSAGES = 300;
const ROOMS = 1_000;
const FEW_ROOMS = 10;
const SERVERS = Number(process.env.LOAD_SERVERS ?? 1_000);
const PASSES = 5;
/** Events of a run in which every one is sent on, and how many a server may be behind then: the hub skips none for it. */
const IN_STEP = Math.min(EVENTS, 20_000);
const BEHIND = 200;
const IS_PROFILED = process.env.LOAD_PROFILE !== undefined;

/** An event of about 1,000 bytes. */
const PADDING = "Bring the plans, please. ".repeat(12);

const endings = [];
const test = { after: (end) => endings.unshift(end) };
try {
  console.log(`${availableParallelism()} processors`);
  if (IS_PROFILED) {
    await appends(await Hub.start(test, { inspector: await freePort() }));
  } else {
    await latency(await Hub.start(test));
    await appends(await Hub.start(test));
    await inStep(await Hub.start(test));
    await manyRooms(await Hub.start(test));
    await crowd(await Hub.start(test));
  }
} finally {
  for (const end of endings) await end();
}

/** One message at a time: from its sender to the hub and back as a finished event, which the hub sends when it is durable. */
async function latency(hub) {
  const generator = await Generator.start(test);
  const room = await hub.createRoom();
  assert.equal((await generator.join(hub, room)).status, 200);
  const times = [];
  for (let number = 0; number < MESSAGES + 50; number++) {
    const transaction = generator.prepare(hub, [generator.message(hub, room, `m${number}`)]);
    const echo = generator.echo(`m${number}`);
    times.push(await timed(async () => void (await Promise.all([generator.deliver(hub, transaction), echo]))));
  }
  const warm = times.slice(50);
  print("echo_p50", quantile(warm, 0.5), "ms");
  print("echo_p99", quantile(warm, 0.99), "ms");
  await hub.stop();
}

/** Full transactions of several servers into one room, as fast as it takes them: servers that fall far behind are sent the newest only. */
async function appends(hub) {
  const [rates, fanOuts, costs, memory, modules] = [[], [], [], [], []];
  let delivered = 0;
  let stop;
  const sent = await rounds(hub, EVENTS, async ({ number, generators, prepared, said }) => {
    // The first round is for the engine, which compiles.
    if (IS_PROFILED && number > 0) stop ??= await profile(hub);
    const before = generators.map(({ count }) => count);
    const processor = processorOf(hub);
    const start = performance.now();
    await Promise.all(generators.map(async (generator, which) => {
      for (const transaction of prepared[which]) await generator.deliver(hub, transaction);
    }));
    const durable = performance.now() - start;
    // A server that is more than 500 events behind is sent the newest only, and would fetch the rest; the last event is what every server gets.
    await said(`the end of ${number}`);
    const fannedOut = performance.now() - start;
    delivered += generators.reduce((sum, { count }, which) => sum + count - before[which], 0);
    rates.push((ROUND / durable) * 1e3);
    fanOuts.push((ROUND / fannedOut) * 1e3);
    costs.push(((processorOf(hub) - processor) / ROUND) * 1e6);
    memory.push(memoryOf(hub));
    modules.push(await moduleOf(hub));
  });
  const times = (await stop?.()) ?? [];
  for (const [name, time] of times.slice(0, 40)) console.log(`${(time / (rates.length - 1) / ROUND).toFixed(1).padStart(7)} us/event ${name}`);
  print("appends", median(rates), "events/s");
  print("appends_and_fan_out", median(fanOuts), "events/s");
  print("appends_processor_time", median(costs), "us/event");
  print("appends_sent_on", delivered / sent / GENERATORS, "ratio");
  const fifth = Math.floor(memory.length / 5);
  print("memory_after_a_fifth", memory[fifth], "MiB");
  print(`memory_after_${EVENTS}`, memory.at(-1), "MiB");
  print("module_memory_after_a_fifth", modules[fifth], "MiB");
  print(`module_memory_after_${EVENTS}`, modules.at(-1), "MiB");
  await hub.stop();
}

/** The same from servers that wait for what they are owed, so that every event is sent on to each of them, which is what the time covers. */
async function inStep(hub) {
  const [rates, costs] = [[], []];
  await rounds(hub, IN_STEP, async ({ generators, prepared }) => {
    const before = generators.map(({ count }) => count);
    const processor = processorOf(hub);
    let taken = 0;
    const took = await timed(() => Promise.all(generators.map(async (generator, which) => {
      for (const transaction of prepared[which]) {
        await generator.deliver(hub, transaction);
        taken += AT_ONCE;
        await generator.reached(before[which] + taken - BEHIND);
      }
      await generator.reached(before[which] + ROUND);
    })));
    rates.push((ROUND / took) * 1e3);
    costs.push(((processorOf(hub) - processor) / ROUND) * 1e6);
  });
  print("appends_all_sent_on", median(rates), "events/s");
  print("appends_all_sent_on_processor_time", median(costs), "us/event");
  await hub.stop();
}

/** Rounds of prepared transactions into one room, until this many events are sent: how many they were. Every one of them must be in the log then. */
async function rounds(hub, events, round) {
  const generators = [];
  const room = await hub.createRoom();
  for (let number = 0; number < GENERATORS; number++) {
    generators.push(await Generator.start(test));
    assert.equal((await generators[number].join(hub, room)).status, 200);
  }
  let expected = 5 + GENERATORS;
  /** What a user of the hub says; resolves when every server has it. */
  const said = async (body) => {
    expected += 1;
    const ends = generators.map((generator) => generator.echo(body));
    await hub.say(room, hub.user("hal"), body);
    await Promise.all(ends);
  };
  let number = 0;
  for (; number * ROUND < events; number++) {
    const prepared = generators.map((generator, which) =>
      Array.from({ length: TRANSACTIONS }, (_, at) =>
        generator.prepare(hub, Array.from({ length: AT_ONCE }, (_, index) => generator.message(hub, room, `${number} ${which} ${at} ${index} ${PADDING}`))),
      ),
    );
    // Connections that the hub has closed meanwhile are noticed now.
    await sleep(50);
    await round({ number, generators, prepared, said });
    expected += ROUND;
  }
  const { events: last } = await hub.must("GET", `/rooms/${encodeURIComponent(room)}/timeline?from=${expected - 1}`);
  assert.equal(last.length, 1, "everything was appended, once");
  return number * ROUND;
}

/** One message each in many rooms in turn, against the same number of messages in few rooms in turn. */
async function manyRooms(hub) {
  const rooms = [];
  while (rooms.length < ROOMS) rooms.push(...(await Promise.all(Array.from({ length: 10 }, () => hub.createRoom()))));
  const pass = async (among) => {
    for (let number = 0; number < ROOMS; number++) await hub.say(rooms[number % among], hub.user("hal"), `message ${number}`);
  };
  await pass(ROOMS);
  const pairs = [];
  for (let number = 0; number < PASSES; number++) {
    pairs.push({ few: await timed(() => pass(FEW_ROOMS)), many: await timed(() => pass(ROOMS)) });
  }
  print(`in_${FEW_ROOMS}_rooms`, median(pairs.map(({ few }) => few)) / ROOMS, "ms/message");
  print(`in_${ROOMS}_rooms`, median(pairs.map(({ many }) => many)) / ROOMS, "ms/message");
  print(`${ROOMS}_rooms_ratio`, median(pairs.map(({ few, many }) => many / few)), "ratio");
  print(`${ROOMS}_rooms_memory`, memoryOf(hub), "MiB");
  await hub.stop();
}

/** One message to very many servers. */
async function crowd(hub) {
  const servers = await Crowd.start(test, SERVERS);
  const room = `!crowd:${hub.name}`;
  const body = servers.log(hub, room);
  const path = `/rooms/${encodeURIComponent(room)}/import`;
  const took = await timed(async () => assert.equal((await hub.must("POST", path, body)).events, SERVERS + 4));
  print(`import_${SERVERS + 4}_events`, took, "ms");
  const times = [];
  for (let number = 0; number < PASSES + 1; number++) {
    const all = servers.reached(`message ${number}`);
    const time = await timed(async () => {
      await hub.say(room, hub.user("hal"), `message ${number}`);
      assert.equal((await all).size, 1, "one event, signed once");
    });
    times.push(time);
  }
  print(`fan_out_${SERVERS}_servers`, median(times.slice(1)), "ms");
  await hub.stop();
}
