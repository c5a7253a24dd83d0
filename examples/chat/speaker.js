// A participant as a process of its own, driven by its commands and heard as lines of JSON.
import { fileURLToPath } from "node:url";
import { allPassed, CHECKS } from "../participant/checks.js";
import { Child } from "./child.js";

const MAIN = fileURLToPath(new URL("../participant/main.js", import.meta.url));

/**
 * @typedef {import("../participant/participant.js").Told} Told
 * @typedef {import("../participant/checks.js").Fact} Fact
 */

export class Speaker {
  /** @type {Child<Told> | undefined} */
  #child;
  /** @type {string | undefined} */
  #keyId;

  /**
   * @param {{ name: string, port: number, data: string, show: (name: string, told: Told) => void }} place
   */
  constructor({ name, port, data, show }) {
    this.name = name;
    this.user = `@${name}:localhost:${port}`;
    this.port = port;
    this.data = data;
    this.show = show;
  }

  /** Starts the process, the first time or again. It must be known by the same key. */
  async start() {
    const command = [MAIN, "--port", String(this.port), "--data", this.data, "--user", this.name, "--json"];
    this.#child = new Child(this.name, command, (line) => JSON.parse(line), (told) => this.#heard(told));
    const ready = await this.until("ready", "its start");
    const isAgain = this.#keyId !== undefined;
    if (isAgain && ready.keyId !== this.#keyId) throw new Error(`${this.name} lost its key: ${this.#keyId} is now ${ready.keyId}`);
    if (ready.isNewKey === isAgain) throw new Error(`${this.name}'s key is ${ready.isNewKey ? "new" : "old"} at the ${isAgain ? "second" : "first"} start`);
    this.#keyId = ready.keyId;
  }

  /**
   * Types a command and waits until it is done.
   * @param {string} command
   */
  async type(command) {
    const from = this.child.told.length;
    this.child.say(command);
    const isAnswer = (/** @type {Told} */ told) =>
      this.child.told.indexOf(told) >= from && ((told.type === "answer" && told.to === command) || (told.type === "failed" && told.what === command));
    const answer = await this.child.until(command, isAnswer);
    if (answer.type === "failed") throw new Error(`${this.name}: ${command}: ${answer.error}`);
  }

  /**
   * The first thing of a kind that it told in this life, or will.
   * @template {Told["type"]} T
   * @param {T} type
   * @param {string} what
   * @param {(told: Extract<Told, { type: T }>) => boolean} [isIt]
   * @returns {Promise<Extract<Told, { type: T }>>}
   */
  async until(type, what, isIt = () => true) {
    const matches = (/** @type {Told} */ told) => told.type === type && isIt(/** @type {Extract<Told, { type: T }>} */ (told));
    return /** @type {Extract<Told, { type: T }>} */ (await this.child.until(what, matches));
  }

  /**
   * Waits until it shows what somebody said in a room.
   * @param {string} roomId
   * @param {string} body
   */
  hears(roomId, body) {
    const isIt = (/** @type {Fact} */ fact) => fact.roomId === roomId && fact.event.content.body === body;
    return this.until("event", `to hear "${body}"`, isIt);
  }

  /** Ends the process; it must end by itself and well. */
  async stop() {
    const end = await this.#child?.stop();
    this.#child = undefined;
    return end;
  }

  get child() {
    if (!this.#child) throw new Error(`${this.name} is not running`);
    return this.#child;
  }

  /** @param {Told} told */
  #heard(told) {
    this.show(this.name, told);
  }
}

/**
 * What is wrong with something that a participant told, if anything: all that is shown must have been verified. Only a join that begins a log has nothing before
 * it there; the history that is fetched next ends with what it follows.
 * @param {Told} told
 * @returns {string | undefined}
 */
export function fault(told) {
  if (told.type === "warning") return told.text;
  if (told.type === "failed") return `${told.what}: ${told.error}`;
  if (told.type !== "event") return undefined;
  if (allPassed(told.checks, told.position === 0 ? ["chain"] : [])) return undefined;
  return `${told.eventId} did not pass: ${CHECKS.filter((check) => told.checks[check] !== "passed").join(", ")}`;
}
