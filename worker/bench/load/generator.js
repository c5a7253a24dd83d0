// A server that sends events signed beforehand, and counts and answers what the hub sends to it.
import { PFX, Stranger } from "../../test/support/stranger.js";

export class Generator extends Stranger {
  /** Events that the hub sent here. */
  count = 0;
  #transactions = 0;
  #waiting = new Map();
  #more = () => {};

  receive(pdus) {
    this.count += pdus.length;
    this.#more();
    for (const { content } of pdus) this.#waiting.get(content.body)?.();
  }

  /** Resolves when the hub sends an event of that body. */
  echo(body) {
    return new Promise((resolve) => this.#waiting.set(body, resolve)).finally(() => this.#waiting.delete(body));
  }

  /** Resolves when the hub has sent this many events here. */
  async reached(count) {
    while (this.count < count) await new Promise((resolve) => (this.#more = resolve));
  }

  /** A transaction, signed, header and all. */
  prepare(hub, pdus) {
    const content = { pdus, edus: [] };
    const uri = `${PFX}/send/load${(this.#transactions += 1)}`;
    return { uri, body: JSON.stringify(content), authorization: this.authorization(hub, "PUT", uri, content) };
  }

  /** Sends a prepared transaction; every event of it must be taken. */
  async deliver(hub, { uri, body, authorization }) {
    const answer = await this.raw(hub, "PUT", uri, body, { authorization });
    if (answer.status !== 200 || Object.keys(answer.body.failed_pdus).length > 0) throw new Error(JSON.stringify(answer));
  }
}
