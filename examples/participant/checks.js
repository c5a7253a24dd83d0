// Which checks an event has passed, from what the core reported of it and from nothing else.

/**
 * A check passed, failed, or was not run.
 * @typedef {"passed" | "failed" | "not run"} Verdict
 */

/**
 * @typedef {object} Checks
 * @property {Verdict} schema the event has the form of an event of its room's version
 * @property {Verdict} hash its content is what its sender hashed; if not, only the redacted copy is kept
 * @property {Verdict} sender the sender's server signed it
 * @property {Verdict} hub the room's hub signed it
 * @property {Verdict} rules the room's rules allow it in the state before it
 * @property {Verdict} chain it follows the event that stands before it in our log, or is the one that the event behind it follows
 */

/** @type {Verdict} */
const PASSED = "passed";
/** @type {Verdict} */
const FAILED = "failed";
/** @type {Verdict} */
const NOT_RUN = "not run";

/** In the order in which they are made. */
export const CHECKS = /** @type {const} */ (["schema", "hash", "sender", "hub", "rules", "chain"]);

/**
 * @typedef {object} Fact what is known of an event
 * @property {"event"} type
 * @property {string} roomId
 * @property {number} position
 * @property {string} eventId
 * @property {string | undefined} lpduId
 * @property {boolean} isHistory it was fetched from before our join
 * @property {any} event
 * @property {Checks} checks
 */

/**
 * @typedef {import("hublet").Answer} Answer
 * @typedef {import("hublet").Notification} Notification
 * @typedef {Extract<Notification, { type: "appended" }>} Appended
 * @typedef {Extract<Answer, { type: "history" }>["entries"][number]} Entry
 */

/** One room's log, as far as the core has told of it: enough to say of each new event whether it continues the chain. */
export class Chain {
  /** @type {string | undefined} the last event, link or hole of the log */
  #last;
  #lastPosition = -1;
  /** @type {string | undefined} what the first event of the log follows */
  #before;
  /** @type {Set<string>} what the hub named and did not serve */
  #holes = new Set();

  /**
   * An event that was appended. The core appends only what has the right form, the hub's signature and the rules on its side.
   * @param {Appended} appended
   * @returns {Fact}
   */
  append({ roomId, position, eventId, lpduId, event: bytes, senderVerified, intact }) {
    const event = parse(bytes);
    if (this.#last === undefined) this.#before = event.prev_events[0];
    const follows = event.prev_events.length === 1 && event.prev_events[0] === this.#last && !this.#holes.has(this.#last ?? "");
    // Our first join begins the log, and the core leaves a place free for what it did not see while we were out.
    const isJoin = this.#last === undefined || position > this.#lastPosition + 1;
    const chain = isJoin ? NOT_RUN : verdict(follows);
    this.#advance(eventId, position);
    const checks = { ...signed(senderVerified, intact), rules: PASSED, chain };
    return { type: "event", roomId, position, eventId, lpduId, isHistory: false, event, checks };
  }

  /**
   * Entries from before our log, oldest first; what stands behind them was told of before. That they stood there follows from the hashes in the events behind
   * them. The rules were run by the events that authorise each, as far as these are known.
   * @param {string} roomId
   * @param {Entry[]} entries
   * @returns {Fact[]}
   */
  prepend(roomId, entries) {
    const facts = [];
    for (const { position, eventId, event: bytes, senderVerified, intact, authorized } of [...entries].reverse()) {
      const event = bytes && parse(bytes);
      const chain = verdict(eventId === this.#before);
      this.#before = event?.prev_events?.[0];
      if (!event) continue;
      const checks = { ...signed(senderVerified, intact), rules: authorized ? PASSED : NOT_RUN, chain };
      facts.push({ type: /** @type {const} */ ("event"), roomId, position, eventId, lpduId: undefined, isHistory: true, event, checks });
    }
    return facts.reverse();
  }

  /**
   * An event of the hub that the rules refuse keeps its place.
   * @param {string} eventId
   */
  reject(eventId) {
    this.#advance(eventId, this.#lastPosition + 1);
  }

  /**
   * Something that the hub names and does not give; before our log it takes no place.
   * @param {string} eventId
   */
  hole(eventId) {
    if (eventId === this.#before) return;
    this.#holes.add(eventId);
    this.#advance(eventId, this.#lastPosition + 1);
  }

  /**
   * @param {string} eventId
   * @param {number} position
   */
  #advance(eventId, position) {
    this.#last = eventId;
    this.#lastPosition = position;
  }
}

/**
 * Whether none of the checks failed, and which of them may be left out did.
 * @param {Checks} checks
 * @param {(keyof Checks)[]} [mayBeLeftOut]
 */
export function allPassed(checks, mayBeLeftOut = []) {
  return CHECKS.every((check) => checks[check] === "passed" || (checks[check] === "not run" && mayBeLeftOut.includes(check)));
}

/**
 * @param {boolean} senderVerified
 * @param {boolean} intact
 */
function signed(senderVerified, intact) {
  return {
    schema: PASSED,
    hash: verdict(intact),
    // A missing key is no wrong signature: such an event would have been dropped.
    sender: senderVerified ? PASSED : NOT_RUN,
    hub: PASSED,
  };
}

/**
 * @param {boolean} holds
 * @returns {Verdict}
 */
function verdict(holds) {
  return holds ? PASSED : FAILED;
}

/**
 * @param {Uint8Array} bytes
 * @returns {any}
 */
function parse(bytes) {
  return JSON.parse(new TextDecoder().decode(bytes));
}
