// The loop around the core: inputs go in, outputs come out and are carried out in their order. The core itself never waits and touches nothing outside.
import { randomBytes } from "node:crypto";
import { MemoryStore, Server } from "hublet";

/** The longest time that a timer of Node can wait. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * @typedef {import("hublet").Address} Address
 * @typedef {import("hublet").Answer} Answer
 * @typedef {import("hublet").Call} Call
 * @typedef {import("hublet").Identity} Identity
 * @typedef {import("hublet").Notification} Notification
 * @typedef {import("hublet").HttpRequest} HttpRequest
 * @typedef {import("hublet").HttpResponse} HttpResponse
 * @typedef {import("hublet").SendError} SendError
 * @typedef {import("hublet").ServerInput} ServerInput
 * @typedef {import("hublet").ServerOutput} ServerOutput
 * @typedef {Pick<MemoryStore, "apply" | "read" | "free">} Store
 */

/**
 * What the loop uses of the outside.
 * @typedef {object} Outside
 * @property {(server: string, request: HttpRequest) => Promise<{ response: HttpResponse } | { error: SendError }>} send
 * @property {(message: Uint8Array) => Uint8Array} sign with the server's key; asked only when the core does not hold it
 * @property {(notification: Notification) => void} notify
 */

export class Host {
  #server;
  #outside;
  #openStore;
  /** @type {Map<Address, Store>} */
  #stores = new Map();
  /** @type {ServerInput[]} */
  #inbox = [];
  #isRunning = false;
  #isClosed = false;
  /** @type {Map<number, { resolve: (answer: Answer) => void, reject: (error: unknown) => void }>} */
  #asked = new Map();
  #tickets = 0;
  /** @type {NodeJS.Timeout | undefined} */
  #alarm;

  /**
   * @param {Identity} identity
   * @param {Outside} outside
   * @param {() => Store} [openStore] a store for each machine; in memory unless another is given
   */
  constructor(identity, outside, openStore = () => new MemoryStore()) {
    this.#server = new Server(identity);
    this.#outside = outside;
    this.#openStore = openStore;
  }

  /**
   * Asks a machine.
   * @param {Address} to
   * @param {Call} call
   * @returns {Promise<Answer>}
   */
  ask(to, call) {
    return this.#expect((ticket) => ({ type: "ask", ticket, to, call }));
  }

  /**
   * Hands in a request of another server.
   * @param {HttpRequest} request
   * @returns {Promise<HttpResponse>}
   */
  async serve(request) {
    const answer = await this.#expect((ticket) => ({ type: "request", ticket, request }));
    if (answer.type !== "response") throw new Error(`the machine that serves requests is gone: ${answer.type}`);
    return answer.response;
  }

  /** Drops everything, and with it what was in memory. What was asked is answered "unavailable". */
  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#alarm);
    for (const { resolve } of this.#asked.values()) resolve({ type: "unavailable" });
    this.#asked.clear();
    this.#server.free();
    for (const store of this.#stores.values()) store.free();
  }

  /**
   * @param {(ticket: number) => ServerInput} input
   * @returns {Promise<Answer>}
   */
  #expect(input) {
    if (this.#isClosed) return Promise.resolve({ type: "unavailable" });
    const ticket = ++this.#tickets;
    return new Promise((resolve, reject) => {
      this.#asked.set(ticket, { resolve, reject });
      this.#take(input(ticket));
    });
  }

  /**
   * Takes an input, and then whatever follows from it here.
   * @param {ServerInput} input
   */
  #take(input) {
    if (this.#isClosed) return;
    this.#inbox.push(input);
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let next = this.#inbox.shift(); next && !this.#isClosed; next = this.#inbox.shift()) {
        this.#handle(next);
        for (const output of this.#outputs()) this.#carryOut(output);
      }
    } finally {
      this.#isRunning = false;
    }
  }

  /**
   * A call that the core cannot read is its caller's fault alone.
   * @param {ServerInput} input
   */
  #handle(input) {
    try {
      this.#server.handle(Date.now(), new Uint8Array(randomBytes(16)), input);
    } catch (error) {
      if (input.type !== "ask" && input.type !== "request") throw error;
      this.#asked.get(input.ticket)?.reject(error);
      this.#asked.delete(input.ticket);
    }
  }

  /** All that there is to do now, taken out before any of it is done. */
  #outputs() {
    /** @type {ServerOutput[]} */
    const outputs = [];
    for (let output = this.#server.poll(); output; output = this.#server.poll()) outputs.push(output);
    return outputs;
  }

  /** @param {ServerOutput} output */
  #carryOut(output) {
    switch (output.type) {
      case "commit":
        return this.#inbox.push(this.#commit(output));
      case "read": {
        const rows = this.#store(output.machine).read(output.queries);
        return this.#inbox.push({ type: "rows", machine: output.machine, ticket: output.ticket, rows });
      }
      case "send":
        return void this.#send(output);
      case "sign": {
        const signatures = output.messages.map((message) => this.#outside.sign(message));
        return this.#inbox.push({ type: "signed", machine: output.machine, ticket: output.ticket, signatures });
      }
      case "notify":
        return this.#outside.notify(output.notification);
      case "respond":
        this.#asked.get(output.ticket)?.resolve(output.answer);
        return this.#asked.delete(output.ticket);
      case "wake":
        return this.#wakeAt(output.at);
    }
  }

  /**
   * @param {Extract<ServerOutput, { type: "commit" }>} output
   * @returns {ServerInput}
   */
  #commit({ machine, ticket, batch }) {
    try {
      this.#store(machine).apply(batch);
      return { type: "committed", machine, ticket };
    } catch {
      return { type: "commitFailed", machine };
    }
  }

  /** @param {Extract<ServerOutput, { type: "send" }>} output */
  async #send({ machine, ticket, server, request }) {
    const came = await this.#outside.send(server, request);
    this.#take("response" in came ? { type: "sent", machine, ticket, response: came.response } : { type: "notSent", machine, ticket, error: came.error });
  }

  /** @param {number} at the latest wish counts; waking early does no harm */
  #wakeAt(at) {
    clearTimeout(this.#alarm);
    const wait = Math.min(Math.max(at - Date.now(), 0), LONGEST_TIMER);
    this.#alarm = setTimeout(() => this.#take({ type: "woken" }), wait);
  }

  /** @param {Address} machine */
  #store(machine) {
    let store = this.#stores.get(machine);
    if (!store) this.#stores.set(machine, (store = this.#openStore()));
    return store;
  }
}
