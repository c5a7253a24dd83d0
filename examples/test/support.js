// Participants for tests: in this process, or as processes of their own, in folders that are removed afterwards.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Participant } from "../participant/participant.js";

/** How long a test waits for something to happen. */
const PATIENCE = 20_000;

/** A folder that goes when the test has ended. */
export function folder(context) {
  const path = mkdtempSync(join(tmpdir(), "hublet-test-"));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A participant in this process that keeps what it tells. */
export class Listener {
  told = [];
  #woken = [];

  static async start(context, user, { data = folder(context), port = 0, page } = {}) {
    const listener = new Listener();
    listener.data = data;
    listener.participant = await Participant.start({ port, data, user, page, tell: (told) => listener.#tell(told) });
    let isStopped = false;
    listener.stop = async () => {
      if (!isStopped) await listener.participant.stop();
      isStopped = true;
    };
    context.after(listener.stop);
    return listener;
  }

  get name() {
    return this.participant.name;
  }

  get port() {
    return Number(this.name.split(":")[1]);
  }

  get user() {
    return this.participant.user;
  }

  /** The first thing told of which `isIt` holds. */
  async until(what, isIt) {
    const end = Date.now() + PATIENCE;
    for (;;) {
      const found = this.told.find(isIt);
      if (found) return found;
      if (Date.now() > end) throw new Error(`${this.user}: ${what} did not happen; told: ${JSON.stringify(this.told, undefined, 1)}`);
      await new Promise((resolve) => {
        this.#woken.push(resolve);
        setTimeout(resolve, 1_000).unref();
      });
    }
  }

  /** The event with that body. */
  hears(body) {
    return this.until(`to hear "${body}"`, (told) => told.type === "event" && told.event.content.body === body);
  }

  /** What was told of that type. */
  of(type) {
    return this.told.filter((told) => told.type === type);
  }

  #tell(told) {
    this.told.push(told);
    for (const wake of this.#woken.splice(0)) wake();
  }
}

/** The IDs of a participant's log. */
export async function ids(listener, roomId) {
  return (await listener.participant.timeline(roomId)).map(({ eventId }) => eventId);
}
