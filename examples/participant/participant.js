// A participant server: a key in a file, the log in memory, one local user. It joins rooms, speaks, and after a restart rejoins them and fetches what it missed.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { roomId as newRoomId } from "hublet";
import { Chain } from "./checks.js";
import { Host } from "./host.js";
import { listen, refusal } from "./inbound.js";
import { openKey, sign } from "./key-file.js";
import { send } from "./outbound.js";
import { RoomList } from "./room-list.js";

/** How many events before a join are asked for at once, and fetched at most: they are kept in memory. */
const PAGE = 1_000;
const MOST = 100_000;

/** Waits between attempts to join, in milliseconds: a hub asks an invited server before it appends the invite, and one that restarts is away for a moment. */
const PATIENCE = [100, 300, 1_000, 3_000];

/**
 * @typedef {import("hublet").Answer} Answer
 * @typedef {import("hublet").Call} Call
 * @typedef {import("hublet").Notification} Notification
 * @typedef {import("hublet").HttpRequest} HttpRequest
 * @typedef {import("./inbound.js").Link} Link
 */

/**
 * What the participant tells whoever started it.
 * @typedef {import("./checks.js").Fact
 *   | { type: "ready", user: string, port: number, keyId: string, isNewKey: boolean }
 *   | { type: "joined", roomId: string }
 *   | { type: "rejoining", roomId: string }
 *   | { type: "healed", roomId: string, events: number }
 *   | { type: "invited", roomId: string, sender: string }
 *   | { type: "inviteEnded", roomId: string }
 *   | { type: "proven", roomId: string, eventId: string }
 *   | { type: "warning", roomId: string, text: string }
 *   | { type: "failed", what: string, error: string }
 *   | { type: "answer", to: string, lines: string[] }} Told
 */

/**
 * @typedef {object} Options
 * @property {number} port 0 for any free one
 * @property {string} data the folder of the key and of the list of rooms
 * @property {string} user the local part of the user's ID
 * @property {(told: Told) => void} tell
 * @property {number} [page] how many earlier events are asked for at once
 */

/** A refusal of the core or of another server, in its words. */
export class Refused extends Error {
  /**
   * @param {string} what
   * @param {Answer} answer
   */
  constructor(what, answer) {
    super(answer.type === "refused" ? `${what}: ${answer.status} ${answer.errcode}: ${answer.error}` : `${what}: ${answer.type}`);
    this.status = answer.type === "refused" ? answer.status : 503;
  }
}

export class Participant {
  #host;
  #link;
  #tell;
  #page;
  #rooms;
  /** @type {Map<string, Chain>} */
  #chains = new Map();
  /** @type {Set<string>} rooms of which we have the history */
  #healed = new Set();
  /** @type {Set<string>} events of ours that the hub has not sent back */
  #unseen = new Set();
  /** @type {Set<string>} events that came back before we were told their ID: an echo may be faster than an answer */
  #early = new Set();

  /**
   * @param {Options} options
   * @returns {Promise<Participant>}
   */
  static async start({ port, data, user, tell, page = PAGE }) {
    const { isNew, ...key } = openKey(data);
    /** @type {Participant | undefined} */
    let participant;
    const early = refusal(503, "M_UNKNOWN", "the server is starting; try again");
    const link = await listen(port, (request) => participant?.serve(request) ?? Promise.resolve(early));
    participant = new Participant(link, key, { data, user, tell, page });
    tell({ type: "ready", user: participant.user, port: link.port, keyId: key.keyId, isNewKey: isNew });
    return participant;
  }

  /**
   * @param {Link} link
   * @param {{ keyId: string, seed: Uint8Array }} key
   * @param {{ data: string, user: string, tell: (told: Told) => void, page: number }} options
   */
  constructor(link, key, { data, user, tell, page }) {
    this.name = `localhost:${link.port}`;
    this.user = `@${user}:${this.name}`;
    this.#link = link;
    this.#tell = tell;
    this.#page = page;
    this.#rooms = new RoomList(data);
    this.#host = new Host(
      { name: this.name, ...key, reachedAt: this.name },
      { send, sign: (message) => sign(key.seed, message), notify: (notification) => this.#notified(notification) },
    );
  }

  /** @param {HttpRequest} request */
  serve(request) {
    return this.#host.serve(request);
  }

  /**
   * Makes a room of which this server is the hub.
   * @param {{ isPublic: boolean, name?: string }} wish
   */
  async create({ isPublic, name }) {
    const roomId = newRoomId(this.name, new Uint8Array(randomBytes(16)));
    await this.#ask("create", `room:${roomId}`, { type: "create", creator: this.user, public: isPublic, name }, "created");
    return roomId;
  }

  /** Rejoins every room of earlier lives. What cannot be rejoined stays on the list for the next start. */
  async rejoin() {
    for (const [roomId, via] of [...this.#rooms.rooms]) {
      this.#tell({ type: "rejoining", roomId });
      try {
        await this.join(roomId, via);
      } catch (error) {
        this.#tell({ type: "failed", what: `rejoin ${roomId}`, error: /** @type {Error} */ (error).message });
      }
    }
  }

  /**
   * Joins a room, by an invite if there is one, and fetches what was said before.
   * @param {string} roomId
   * @param {string[]} [via] servers that know the room
   */
  async join(roomId, via = []) {
    const invite = (await this.invites()).find((invite) => invite.roomId === roomId);
    const servers = [...new Set([...via, ...(invite ? [invite.hub] : [])])];
    /** @type {Call} */
    const call = { type: "member", user: this.user, membership: "join", via: servers };
    const mayPass = (/** @type {number} */ status) => status >= 500 || (status === 403 && invite !== undefined);
    for (const wait of [...PATIENCE, undefined]) {
      const answer = await this.#host.ask(`room:${roomId}`, call);
      if (answer.type === "accepted") break;
      const refused = new Refused("join", answer);
      if (wait === undefined || !mayPass(refused.status)) throw refused;
      await sleep(wait);
    }
    this.#rooms.add(roomId, servers);
    this.#tell({ type: "joined", roomId });
    // What stands before our log is fetched once; what we miss while we are out of a room on our own wish stays a gap.
    if (!this.#healed.has(roomId)) await this.#heal(roomId);
  }

  /** @param {string} roomId */
  async leave(roomId) {
    await this.#ask("leave", `room:${roomId}`, { type: "member", user: this.user, membership: "leave", via: [] }, "accepted");
    this.#rooms.remove(roomId);
  }

  /**
   * Says something. The event is shown when the hub has appended it and sent it back.
   * @param {string} roomId
   * @param {string} body
   */
  async say(roomId, body) {
    await this.#send(roomId, "m.room.message", undefined, { msgtype: "m.text", body });
  }

  /**
   * @param {string} roomId
   * @param {string} user
   */
  async invite(roomId, user) {
    await this.#send(roomId, "m.room.member", user, { membership: "invite" });
  }

  /**
   * Removes somebody, or takes an invite back.
   * @param {string} roomId
   * @param {string} user
   */
  async remove(roomId, user) {
    await this.#send(roomId, "m.room.member", user, { membership: "leave" });
  }

  /** Pending invites to rooms that we are not in. */
  async invites() {
    const { invites } = await this.#ask("invites", `account:${this.user}`, { type: "invites" }, "invites");
    return invites;
  }

  /** The rooms of the user, and its membership of each. */
  async rooms() {
    const { rooms } = await this.#ask("rooms", `account:${this.user}`, { type: "rooms" }, "rooms");
    return rooms;
  }

  /**
   * The log as we hold it, oldest first.
   * @param {string} roomId
   */
  async timeline(roomId) {
    const call = { type: /** @type {const} */ ("timeline"), from: Number.MIN_SAFE_INTEGER, limit: 1_000_000 };
    const { entries } = await this.#ask("timeline", `room:${roomId}`, call, "entries");
    return entries;
  }

  /**
   * The key document of a server, as our own notary gives it: fetched and checked by the core, and signed by us.
   * @param {string} server
   * @returns {Promise<any>}
   */
  async keyDocument(server) {
    const target = `/_matrix/key/v2/query/${encodeURIComponent(server)}`;
    const { body } = await this.#host.serve({ method: "GET", target, headers: [], body: new Uint8Array() });
    return JSON.parse(new TextDecoder().decode(body)).server_keys?.[0];
  }

  /**
   * Waits until the hub has taken what was said, since that is in memory only; not for ever. Whether it has.
   * @param {number} longest in milliseconds
   */
  async settle(longest) {
    for (const end = Date.now() + longest; this.#unseen.size > 0 && Date.now() < end; ) await sleep(20);
    return this.#unseen.size === 0;
  }

  async stop() {
    await this.#link.close();
    this.#host.close();
  }

  /**
   * Fetches what stands before our log, from the hub, and tells of it, oldest first.
   * @param {string} roomId
   */
  async #heal(roomId) {
    /** @type {import("./checks.js").Fact[]} */
    const facts = [];
    for (let before = 0, isMore = true; isMore; ) {
      const answer = await this.#host.ask(`room:${roomId}`, { type: "history", before, limit: this.#page });
      if (answer.type !== "history") {
        this.#tell({ type: "failed", what: `history of ${roomId}`, error: new Refused("history", answer).message });
        break;
      }
      const { entries } = answer;
      facts.unshift(...this.#chain(roomId).prepend(roomId, entries));
      before = entries[0]?.position ?? before;
      isMore = entries.length === this.#page && facts.length < MOST;
    }
    for (const fact of facts) this.#tell(fact);
    if (facts.length > 0) this.#healed.add(roomId);
    this.#tell({ type: "healed", roomId, events: facts.length });
  }

  /**
   * @param {string} roomId
   * @param {string} kind
   * @param {string | undefined} stateKey
   * @param {object} content
   */
  async #send(roomId, kind, stateKey, content) {
    /** @type {Call} */
    const call = { type: "send", sender: this.user, kind, stateKey, content: JSON.stringify(content) };
    const { eventId } = await this.#ask("send", `room:${roomId}`, call, "accepted");
    if (!this.#early.delete(eventId)) this.#unseen.add(eventId);
  }

  /**
   * @template {Answer["type"]} T
   * @param {string} what
   * @param {string} to
   * @param {Call} call
   * @param {T} expected
   * @returns {Promise<Extract<Answer, { type: T }>>}
   */
  async #ask(what, to, call, expected) {
    const answer = await this.#host.ask(to, call);
    if (answer.type !== expected) throw new Refused(what, answer);
    return /** @type {Extract<Answer, { type: T }>} */ (answer);
  }

  /** @param {Notification} notification */
  #notified(notification) {
    switch (notification.type) {
      case "appended": {
        const fact = this.#chain(notification.roomId).append(notification);
        const id = notification.lpduId ?? notification.eventId;
        if (!this.#unseen.delete(id) && fact.event.sender === this.user) this.#early.add(id);
        return this.#tell(fact);
      }
      case "rejected":
        this.#chain(notification.roomId).reject(notification.eventId);
        return this.#warn(notification.roomId, `the hub sent ${notification.eventId}, which the rules refuse: ${notification.error}`);
      case "hole":
        this.#chain(notification.roomId).hole(notification.eventId);
        return this.#warn(notification.roomId, `the hub does not give ${notification.eventId}`);
      case "fork":
        return this.#warn(notification.roomId, "the hub gave two events the same place; both are signed by it");
      case "rechecked": {
        const { roomId, eventId, senderVerified } = notification;
        if (!senderVerified) return this.#warn(roomId, `${eventId} is not by its sender: the hub made it up`);
        return this.#tell({ type: "proven", roomId, eventId });
      }
      case "resent":
        this.#unseen.delete(notification.old);
        return void this.#unseen.add(notification.new);
      case "notSent":
        this.#unseen.delete(notification.lpduId);
        return this.#warn(notification.roomId, `not sent: ${notification.errcode}: ${notification.error}`);
      case "invited":
        return this.#tell({ type: "invited", roomId: notification.roomId, sender: notification.sender });
      case "inviteEnded":
        return this.#tell({ type: "inviteEnded", roomId: notification.roomId });
    }
  }

  /**
   * @param {string} roomId
   * @param {string} text
   */
  #warn(roomId, text) {
    this.#tell({ type: "warning", roomId, text });
  }

  /** @param {string} roomId */
  #chain(roomId) {
    let chain = this.#chains.get(roomId);
    if (!chain) this.#chains.set(roomId, (chain = new Chain()));
    return chain;
  }
}
