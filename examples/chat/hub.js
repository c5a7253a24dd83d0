// The hub: the worker in workerd, as a process of its own, and its operator's requests.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "./child.js";

const WORKER = fileURLToPath(new URL("../../worker/", import.meta.url));

/** How long an answer of the operator's interface may take: an invited server is asked meanwhile. */
const LONGEST = 20_000;

export class Hub {
  /**
   * @param {number} port
   * @param {string} data
   */
  static async start(port, data) {
    if (!existsSync(join(WORKER, "dist/worker.js"))) throw new Error("the worker is not built: `make chat` does that");
    const command = [join(WORKER, "serve.js"), "--port", String(port), "--name", `localhost:${port}`, "--data", data, "--quiet", "--until-eof"];
    const child = new Child("hub", command, (line) => line);
    const hub = new Hub(port, data, child);
    try {
      await child.until("serving", (line) => line.includes("serves on"));
    } catch (error) {
      await child.stop();
      throw error;
    }
    return hub;
  }

  /**
   * @param {number} port
   * @param {string} data
   * @param {Child<string>} child
   */
  constructor(port, data, child) {
    this.name = `localhost:${port}`;
    this.url = `http://127.0.0.1:${port}`;
    this.data = data;
    this.child = child;
  }

  /**
   * @param {{ creator: string, public: boolean, name: string }} wish
   * @returns {Promise<string>}
   */
  async createRoom(wish) {
    return (await this.#operate("POST", "/_hublet/rooms", wish)).room_id;
  }

  /**
   * @param {string} roomId
   * @param {{ sender: string, type: string, state_key?: string, content: object }} event
   * @returns {Promise<string>}
   */
  async send(roomId, event) {
    return (await this.#operate("POST", `/_hublet/rooms/${encodeURIComponent(roomId)}/events`, event)).event_id;
  }

  /**
   * The IDs of the room's log, oldest first.
   * @param {string} roomId
   * @returns {Promise<string[]>}
   */
  async log(roomId) {
    const target = `/_hublet/rooms/${encodeURIComponent(roomId)}/timeline?from=0&limit=1000`;
    const { events } = await this.#operate("GET", target);
    return events.map((/** @type {{ event_id: string }} */ { event_id }) => event_id);
  }

  stop() {
    return this.child.stop();
  }

  /**
   * @param {string} method
   * @param {string} target
   * @param {object} [body]
   * @returns {Promise<any>}
   */
  async #operate(method, target, body) {
    const token = readFileSync(join(this.data, "token"), "utf8").trim();
    const answer = await fetch(this.url + target, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(LONGEST),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`the hub refuses ${method} ${target}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }
}
