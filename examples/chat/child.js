// A process that we start, hear line by line, speak to, and end by its ID.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** How long a process may take to end when it is asked to. */
const LAST_WORDS = 5_000;

/** How long we wait for something to happen. */
const PATIENCE = 60_000;

/**
 * @template T
 * @typedef {object} Waiting
 * @property {(told: T) => boolean} isIt
 * @property {(told: T) => void} resolve
 * @property {(error: Error) => void} reject
 */

/** @template T what a line is read as */
export class Child {
  /** @type {T[]} all that it has said so far */
  told = [];
  /** @type {Set<Waiting<T>>} */
  #waiting = new Set();
  #words = "";
  /** @type {string | undefined} how it ended */
  #end;

  /**
   * @param {string} name
   * @param {string[]} command for Node: a script and its arguments
   * @param {(line: string) => T} read
   * @param {(told: T) => void} [hear]
   */
  constructor(name, command, read, hear = () => {}) {
    this.name = name;
    this.process = spawn(process.execPath, command, { stdio: ["pipe", "pipe", "pipe"] });
    this.process.stderr.setEncoding("utf8").on("data", (words) => (this.#words += words));
    // What is written to a process that has just ended is lost; that it ended is noticed below.
    this.process.stdin.on("error", () => {});
    createInterface({ input: this.process.stdout }).on("line", (line) => this.#heard(read(line), hear));
    this.ended = new Promise((resolve) => {
      this.process.once("error", (error) => resolve(this.#gone(error.message)));
      this.process.once("close", (code, signal) => resolve(this.#gone(signal ?? `exit status ${code}`)));
    });
  }

  /** @param {string} line */
  say(line) {
    this.process.stdin.write(`${line}\n`);
  }

  /**
   * The first thing that it said or will say of which `isIt` holds.
   * @param {string} what
   * @param {(told: T) => boolean} isIt
   * @param {number} [patience]
   * @returns {Promise<T>}
   */
  async until(what, isIt, patience = PATIENCE) {
    const found = this.told.find(isIt);
    if (found !== undefined) return found;
    if (this.#end !== undefined) throw this.#failure(what);
    /** @type {Waiting<T> | undefined} */
    let waiting;
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        waiting = { isIt, resolve, reject: () => reject(this.#failure(what)) };
        this.#waiting.add(waiting);
        timer = setTimeout(() => reject(new Error(`${this.name}: ${what}: not within ${patience / 1000} s`)), patience);
      });
    } finally {
      clearTimeout(timer);
      if (waiting) this.#waiting.delete(waiting);
    }
  }

  /** Asks it to end, and ends it if it does not. How it ended. */
  async stop() {
    if (this.#end === undefined) this.process.kill("SIGTERM");
    const timer = setTimeout(() => this.process.kill("SIGKILL"), LAST_WORDS);
    await this.ended;
    clearTimeout(timer);
    return this.#end ?? "";
  }

  /**
   * @param {T} told
   * @param {(told: T) => void} hear
   */
  #heard(told, hear) {
    this.told.push(told);
    hear(told);
    for (const waiting of [...this.#waiting]) if (waiting.isIt(told)) waiting.resolve(told);
  }

  /** @param {string} how */
  #gone(how) {
    this.#end = how;
    for (const waiting of [...this.#waiting]) waiting.reject(new Error(how));
  }

  /** @param {string} what */
  #failure(what) {
    const words = this.#words.trim();
    return new Error(`${this.name} ended (${this.#end}) before: ${what}${words === "" ? "" : `\n${words}`}`);
  }
}
