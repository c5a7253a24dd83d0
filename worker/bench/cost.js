// What a message costs on the platform: calls of objects, rows written, CPU time. One hub in workerd, and servers that answer and do nothing else.
// Calls and rows come from the hub's own metrics, CPU time from the process, with everything in it: the worker's JavaScript, the module, SQLite, HTTP.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Hub } from "../test/support/hubs.js";
import { Stranger } from "../test/support/stranger.js";

const MESSAGES = 300;
const AT_ONCE = 50;
/** Clock ticks a second, as Linux counts CPU time. */
const TICKS = 100;

const ends = [];
const scope = { after: (end) => ends.push(end) };

try {
  for (const servers of [2, 10]) {
    const hub = await Hub.start(scope);
    const strangers = [];
    for (let number = 0; number < servers; number++) strangers.push(await Stranger.start(scope));
    const room = await hub.createRoom();
    for (const stranger of strangers) assert.equal((await stranger.join(hub, room)).status, 200);
    await measure(`${servers}_servers`, hub, strangers, room, 1);
    if (servers === 2) await measure(`${servers}_servers_at_once`, hub, strangers, room, AT_ONCE);
    await hub.stop();
  }
} finally {
  for (const end of ends.reverse()) await end();
}

/** Sends messages in transactions of so many, and waits until every server has them all. */
async function measure(name, hub, strangers, room, atOnce) {
  const [sender] = strangers;
  const before = await settled(hub);
  const [cpu, received] = [cpuTime(), strangers.map((stranger) => stranger.received.length)];
  for (let sent = 0; sent < MESSAGES; sent += atOnce) {
    const lpdus = Array.from({ length: atOnce }, (_, number) => sender.message(hub, room, `message ${sent + number} ${"please ".repeat(90)}`));
    assert.deepEqual((await sender.send(hub, lpdus)).body, { failed_pdus: {} });
  }
  for (const end = Date.now() + 120_000; ; await sleep(50)) {
    if (strangers.every((stranger, index) => stranger.received.length - received[index] >= MESSAGES)) break;
    assert.ok(Date.now() < end, "not all has come");
  }
  const spent = cpuTime() - cpu;
  const after = await settled(hub);
  const grown = (pattern) => [...after].filter(([series]) => pattern.test(series)).reduce((sum, [series, value]) => sum + value - (before.get(series) ?? 0), 0);
  const print = (what, value, unit) => console.log(`bench cost_${name}_${what} ${(value / MESSAGES).toFixed(2)} ${unit}/message`);
  assert.equal(grown(/^hublet_events_appended_total/), MESSAGES);
  for (const machine of ["room", "peer", "account"]) {
    print(`calls_${machine}`, grown(new RegExp(`^hublet_step_seconds_count\\{machine="${machine}",input="ask"`)), "calls");
    print(`rows_${machine}`, grown(new RegExp(`^hublet_rows_written_total\\{machine="${machine}"`)), "rows");
  }
  print("alarms_set", grown(/^hublet_alarms_set_total/), "rows");
  print("cpu", spent * 1_000, "ms");
}

/** The hub's metrics, once everything is reported. */
async function settled(hub) {
  for (let last = await metrics(hub); ; ) {
    await sleep(3_000);
    const now = await metrics(hub);
    if ([...now].every(([series, value]) => !/rows_written|appended/.test(series) || value === last.get(series))) return now;
    last = now;
  }
}

async function metrics(hub) {
  const answer = await fetch(new URL("/_hublet/metrics", hub.url), { headers: { authorization: `Bearer ${hub.token}` } });
  const lines = (await answer.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]));
}

/** Seconds that the workerd which this program started has computed. */
function cpuTime() {
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const stat = read(`/proc/${pid}/stat`);
    const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (stat?.includes("(workerd)") && Number(fields[1]) === process.pid) return (Number(fields[11]) + Number(fields[12])) / TICKS;
  }
  throw new Error("workerd is not to be found");
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
