// Hubs for tests: real workerd on free ports, rows in folders that go away.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FRESH } from "./fresh.js";
import { startHub } from "../../hub.js";

export function temporaryFolder(test) {
  const folder = mkdtempSync(join(tmpdir(), "hublet-"));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** A running hub, and its operator. */
export class Hub {
  #running;
  /** What it has logged. */
  lines = [];

  /** Starts a hub that stops when the test ends. */
  static async start(test, { forgets = false, name, inspector } = {}) {
    const hub = new Hub();
    hub.inspector = inspector;
    hub.forgets = forgets;
    hub.port = await freePort();
    hub.name = name ?? `localhost:${hub.port}`;
    hub.data = temporaryFolder(test);
    await hub.resume();
    test.after(() => hub.stop());
    return hub;
  }

  async resume() {
    const { port, name, data, forgets, inspector } = this;
    this.#running = await startHub({ port, name, data, forgets, inspector, hear: (line) => this.#hear(line) });
    this.url = this.#running.url;
    this.token = this.#running.token;
  }

  /** What is no line of the log is workerd's own, and worth seeing. */
  #hear(line) {
    if (line.startsWith("{")) this.lines.push(JSON.parse(line));
    else console.error(line);
  }

  /** The metrics, by series. */
  async metrics() {
    const answer = await fetch(new URL("/_hublet/metrics", this.url), { headers: { ...FRESH, authorization: `Bearer ${this.token}` } });
    if (answer.status !== 200) throw new Error(`metrics: ${answer.status}`);
    const lines = (await answer.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]));
  }

  /** Waits until it has logged a line that holds all of this: the line. */
  logged(fields) {
    const holds = (line) => Object.entries(fields).every(([name, value]) => line[name] === value);
    return eventually(() => this.lines.find(holds), `a line with ${JSON.stringify(fields)}`, 10_000);
  }

  /** Ends workerd at once, in the middle of whatever it does. */
  async kill() {
    if (this.pids.length === 0) throw new Error("workerd's process is not found: this test runs on Linux");
    for (const pid of this.pids) process.kill(pid, "SIGKILL");
    await this.stop();
  }

  /** The processes of its workerd. */
  get pids() {
    return this.#running.pids;
  }

  async stop() {
    await this.#running?.stop();
    this.#running = undefined;
  }

  /** Starts again without the rows of any object; what lies in KV stays. */
  async restartWithoutObjects() {
    await this.stop();
    rmSync(join(this.data, "storage"), { recursive: true });
    await this.resume();
    return this;
  }

  user(localpart) {
    return `@${localpart}:${this.name}`;
  }

  /** A request of the operator: status and parsed answer. */
  async operator(method, path, body, headers = { authorization: `Bearer ${this.token}` }) {
    const answer = await fetch(new URL(`/_hublet${path}`, this.url), {
      method,
      headers: { ...FRESH, ...headers },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(300_000),
    });
    return { status: answer.status, body: await answer.json() };
  }

  /** The same, for what must succeed. */
  async must(method, path, body) {
    const answer = await this.operator(method, path, body);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async createRoom(options = {}) {
    const room = await this.must("POST", "/rooms", { creator: this.user("hal"), public: true, ...options });
    return room.room_id;
  }

  async say(room, sender, body) {
    const event = { sender, type: "m.room.message", content: { msgtype: "m.text", body } };
    return (await this.must("POST", `/rooms/${encodeURIComponent(room)}/events`, event)).event_id;
  }

  async join(room, user, via) {
    const member = { user, membership: "join", via };
    return (await this.must("POST", `/rooms/${encodeURIComponent(room)}/members`, member)).event_id;
  }

  async timeline(room) {
    return (await this.must("GET", `/rooms/${encodeURIComponent(room)}/timeline?from=0&limit=500`)).events;
  }

  /** Waits until the timeline shows an event. */
  async shows(room, matches, what = "the event") {
    return eventually(async () => (await this.timeline(room)).find(matches), what);
  }
}

export const saying = (body) => (entry) => entry.event?.content.body === body;

/** Asks again until there is something. */
export async function eventually(ask, what, patience = 60_000) {
  for (const end = Date.now() + patience; Date.now() < end; await sleep(50)) {
    const found = await ask();
    if (found) return found;
  }
  throw new Error(`${what} did not come within ${patience} ms`);
}
