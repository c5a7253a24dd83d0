// A room: what is sent goes to the worker, what happens comes from there. Only the current state is kept here.
import type { Answer, Call, Notification, Proof } from "./module/hublet.js";
import { exportLog } from "./archive.js";
import type { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { HubletError } from "./error.js";
import { echo, readEntry, type Entry, type RoomEvent, type StateEvent } from "./event.js";
import type { Hublet, Peer } from "./hublet.js";
import { writeLink } from "./link.js";
import { SIGNAL, Signalling, type AcceptPeersOptions, type ConnectPeerOptions } from "./signalling.js";

/** A user's standing in a room. */
export type Membership = "join" | "invite" | "knock" | "leave" | "ban";

/** A user's part in a room. */
export interface Member {
  /** The user's ID. */
  user: string;
  /** The user's server. */
  server: string;
  /** Whether the user is in, and if not, why. */
  membership: Membership;
  /** The name to show. */
  displayname?: string;
  /** The picture to show. */
  avatarUrl?: string;
  /** What the user may do: 100 all, 0 speak. */
  powerLevel: number;
}

/** What happens in a room. */
export interface RoomEvents {
  /** An event reached the log, or one of ours changed its status: first `sending`, then with the same `txn` `sent` or `refused`. */
  event: RoomEvent;
  /** The state changed. */
  state: StateEvent;
  /** An event that was there is another now: it was redacted, has outlived the room's policy, fills a hole, or its sender's key has come. */
  updated: RoomEvent;
  /** A user types, or has stopped. */
  typing: { user: string; typing: boolean };
  /** A user has read up to that event. */
  receipt: { user: string; eventId: string; ts: number };
  /** What `sendEphemeral` of another sent; but for the kind `hublet.link`, of which direct links are made. */
  ephemeral: { sender: string; kind: string; data: any };
  /** The hub broke a rule: two events at one place, an event that the rules refuse, or something that it does not serve. */
  problem: { kind: "fork" | "rejected" | "hole"; eventId?: string; error: string };
}

/** What came of sending an event. */
export interface Sent {
  /** The event's ID; at a participant that of what went to the hub, by which `event` finds it too. */
  eventId: string;
  /** The transaction ID under which it was sent. */
  txn: string;
}

/** The newest place that any log can have. */
const NEWEST = Number.MAX_SAFE_INTEGER;

/** How long an event may take from its acceptance into the log, in milliseconds, before it is looked for there. */
const PATIENCE = 500;

/** A room that the server is in: what is sent goes out from here, and what happens is told here. */
export class Room extends Emitter<RoomEvents> implements AsyncIterable<RoomEvent> {
  /** Its ID: `!…:server`, where it was made. */
  readonly roomId: string;
  readonly #connection: Connection;
  readonly #server: string;
  readonly #user: string;
  readonly #state = new Map<string, StateEvent>();
  /** Transactions of this page whose events are not in the log, by the ID that the server gave them. */
  readonly #sending = new Map<string, { txn: string; event: RoomEvent }>();
  /** What this page sent under transaction IDs of its own choice. */
  readonly #sent = new Map<string, Promise<Sent>>();
  /** The reading of events that were missed, while it goes on. */
  #missing: Promise<void> | undefined;
  readonly #signalling: Signalling;
  #last = -Infinity;
  #ended = false;

  /** Made by `Hublet`. @internal */
  constructor(connection: Connection, hublet: Hublet, roomId: string) {
    super();
    this.#connection = connection;
    this.#server = hublet.server;
    this.#user = hublet.user;
    this.roomId = roomId;
    this.#signalling = new Signalling(hublet, (data) => this.sendEphemeral(SIGNAL, data));
  }

  /** Reads what the server has of the room. @internal */
  async load(): Promise<this> {
    // Asked in one breath: nothing is appended in between.
    const [{ entries }, newest] = await Promise.all([this.#ask({ type: "state" }, "entries"), this.#ask({ type: "history", before: NEWEST, limit: 1 }, "history")]);
    this.#state.clear();
    for (const entry of entries) {
      const event = readEntry(entry, "sent");
      if (event) this.#remember(event);
    }
    this.#last = newest.entries.at(-1)?.position ?? -Infinity;
    return this;
  }

  /** The server that orders the room now. */
  get hub(): string {
    const create = this.#state.get("m.room.create\n");
    const moved = create?.content["hublet.hub_transfer"] === true ? this.#state.get("m.room.hub\n") : undefined;
    return serverOf((moved ?? create)?.sender ?? this.roomId);
  }

  /** Whether that is this server. */
  get isHub(): boolean {
    return this.hub === this.#server;
  }

  /** Its name, if it has one. */
  get name(): string | undefined {
    return this.#state.get("m.room.name\n")?.content.name;
  }

  /**
   * Sends an event. Answers when it is durable here; at the hub it then is in the log. The same `txn` again, within a day, sends nothing and answers the same.
   * @throws {HubletError} `refused`, when the rules of the room refuse it.
   */
  send(type: string, content: object, options: { txn?: string } = {}): Promise<Sent> {
    return this.#send(type, undefined, content, options.txn);
  }

  /** Sends a text message. */
  sendMessage(body: string, options: { txn?: string } = {}): Promise<Sent> {
    return this.#send("m.room.message", undefined, { msgtype: "m.text", body }, options.txn);
  }

  /** Sets an event of the room's state. */
  setState(type: string, stateKey: string, content: object, options: { txn?: string } = {}): Promise<Sent> {
    return this.#send(type, stateKey, content, options.txn);
  }

  /** Takes an event's content away, for all. */
  redact(eventId: string, reason?: string): Promise<Sent> {
    return this.#send("m.room.redaction", undefined, { "hublet.redacts": eventId, ...(reason && { reason }) });
  }

  /** Invites a user, of any server that can be reached. */
  async invite(user: string): Promise<void> {
    await this.#send("m.room.member", user, { membership: "invite" });
  }

  /** Puts a user out; one may come back where the room lets everybody in. */
  async kick(user: string, reason?: string): Promise<void> {
    await this.#send("m.room.member", user, { membership: "leave", ...(reason && { reason }) });
  }

  /** Leaves the room. */
  async leave(): Promise<void> {
    await this.#ask({ type: "member", user: this.#user, membership: "leave" }, "accepted");
  }

  /** At the hub: lets another server in the room take it over, and gives its users the power to. There `takeHub` goes on; if it can be reached it hears so, as `ephemeral` of kind `hublet.hub_offer`. */
  async transferHub(server: string): Promise<void> {
    const levels = this.#state.get("m.room.power_levels\n")?.content ?? {};
    const heirs = (await this.members()).filter((member) => member.membership === "join" && member.server === server && member.powerLevel < 100);
    if (heirs.length > 0) {
      const users = { ...levels.users, ...Object.fromEntries(heirs.map(({ user }) => [user, 100])) };
      await this.setState("m.room.power_levels", "", { ...levels, users });
    }
    await this.#ask({ type: "consent", to: server }, "done");
  }

  /** At a server that the hub lets: becomes the room's hub, once the whole log is here. */
  async takeHub(): Promise<void> {
    await this.#send("m.room.hub", "", {});
  }

  /**
   * Events in the order of the log, oldest first: the newest `limit` (50), those before the position `before`, or those from the position `from` on. What lies before our join is
   * fetched from the hub if it can be reached. What is still being sent is at the end of the newest page. `end`: there is no more in that direction now.
   */
  async timeline(options: { before?: number; from?: number; limit?: number } = {}): Promise<{ events: RoomEvent[]; end: boolean }> {
    const { from, limit = 50 } = options;
    const before = options.before ?? (from === undefined ? NEWEST : from + limit);
    const { entries } = await this.#ask({ type: "history", before, limit }, "history");
    const events = this.#read(entries.filter(({ position }) => from === undefined || position >= from));
    if (before === NEWEST) {
      const pending = await this.#ask({ type: "pending" }, "entries");
      events.push(...pending.entries.flatMap((entry) => this.#pending(entry)));
    }
    const end = from === undefined ? entries.length < limit : (entries.at(-1)?.position ?? from) < from + limit - 1;
    return { events, end };
  }

  /** One event of the log, by its position, or by its ID: also by the one that `send` answered. */
  async event(idOrPosition: string | number): Promise<RoomEvent> {
    const call = typeof idOrPosition === "number" ? ({ type: "history", before: idOrPosition + 1, limit: 1 } as const) : ({ type: "event", eventId: idOrPosition } as const);
    const { entries } = await this.#ask(call, "history");
    const event = this.#read(entries).find(({ position }) => typeof idOrPosition === "string" || position === idOrPosition);
    if (!event) throw new HubletError("not_found", `no such event here: ${idOrPosition}`);
    return event;
  }

  /** What each hash and each signature of an event covers. */
  async proof(eventId: string): Promise<Proof> {
    const { bytes } = await this.event(eventId);
    const version = this.#state.get("m.room.create\n")?.content.room_version;
    const { proof } = await this.#connection.call("proof", { event: bytes, version });
    return proof as Proof;
  }

  /** The whole log, one event a line and oldest first, as `importRoom` and `verify_log` read it; with what was before our join as far as the hub serves it. */
  async export(): Promise<Blob> {
    return exportLog(this.#connection, this.roomId);
  }

  /** The room's state, or one event of it. */
  state(): Promise<StateEvent[]>;
  state(type: string, stateKey?: string): Promise<StateEvent | undefined>;
  async state(type?: string, stateKey = ""): Promise<StateEvent[] | StateEvent | undefined> {
    return type === undefined ? [...this.#state.values()] : this.#state.get(`${type}\n${stateKey}`);
  }

  /** Everybody that the room knows of. */
  async members(): Promise<Member[]> {
    const levels = this.#state.get("m.room.power_levels\n")?.content ?? {};
    const members = [...this.#state.values()].filter(({ type }) => type === "m.room.member");
    return members.map(({ stateKey, content }) => ({
      user: stateKey,
      server: serverOf(stateKey),
      membership: content.membership,
      displayname: content.displayname,
      avatarUrl: content.avatar_url,
      powerLevel: levels.users?.[stateKey] ?? levels.users_default ?? 0,
    }));
  }

  /** Live: every event that reaches the log from now on; with `from`, first those from that position on. Ends by `break`, by the signal, or with the server. */
  async *events(options: { from?: number; signal?: AbortSignal } = {}): AsyncIterableIterator<RoomEvent> {
    const queue: RoomEvent[] = [];
    let wake = () => {};
    const came = ({ detail }: CustomEvent<RoomEvent>) => {
      if (detail.status === "sent") queue.push(detail), wake();
    };
    const stop = () => wake();
    this.addEventListener("event", came);
    this.addEventListener("end", stop);
    options.signal?.addEventListener("abort", stop);
    try {
      let next = options.from ?? -Infinity;
      for (let end = options.from === undefined; !end; ) {
        const page = await this.timeline({ from: next, limit: 200 });
        for (const event of page.events) yield event;
        next = Math.max(next, (page.events.at(-1)?.position ?? next - 1) + 1);
        end = page.end;
      }
      while (!this.#ended && !options.signal?.aborted) {
        const event = queue.shift();
        if (!event) await new Promise<void>((resolve) => (wake = resolve));
        else if ((event.position ?? next) >= next) yield event;
      }
    } finally {
      this.removeEventListener("event", came);
      this.removeEventListener("end", stop);
      options.signal?.removeEventListener("abort", stop);
    }
  }

  /** Live, as `events()`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<RoomEvent> {
    return this.events();
  }

  /** The user types, or has stopped. */
  async typing(isTyping: boolean): Promise<void> {
    await this.#ask({ type: "typing", sender: this.#user, typing: isTyping }, "done");
  }

  /** The user has read the room up to that event. */
  async read(eventId: string): Promise<void> {
    await this.#ask({ type: "read", sender: this.#user, eventId }, "done");
  }

  /** Tells the others something that nobody keeps: any JSON value of at most 4,096 bytes with what is around it, at most thirty times a second. */
  async sendEphemeral(kind: string, data: unknown): Promise<void> {
    await this.#ask({ type: "ephemeral", sender: this.#user, kind, data: JSON.stringify(data) }, "done");
  }

  /**
   * Makes a direct link, by a WebRTC data channel, to a server of the room whose page has called `acceptPeers` or calls this for us at the same time. The offer and its answer travel through the
   * room, where every server can read them: they name this machine's network addresses. Requests to that server go over the link for as long as it stands, then the way they went before.
   * @throws {HubletError} `unreachable`, when the server has no user in the room, does not answer, or no way to it is found.
   */
  async connectPeer(server: string, options: ConnectPeerOptions = {}): Promise<Peer> {
    if (server === this.#server) throw new HubletError("argument", "this server needs no link to itself");
    const isHere = (await this.members()).some((member) => member.server === server && member.membership === "join");
    if (!isHere) throw new HubletError("unreachable", `${server} has no user in the room`);
    return this.#signalling.connect(server, options);
  }

  /**
   * Lets other servers of the room make direct links to this one (`connectPeer`), until the function that it gives is called; links that stand then stay. Of several tabs one answers. An answer tells every server in the room
   * this machine's network addresses, so without this call none is given.
   */
  acceptPeers(options: AcceptPeersOptions = {}): () => void {
    return this.#signalling.accept(options);
  }

  /** A link that `joinRoom` takes: a page's address, this one's if none is given, with the room and servers that know it. */
  link(page = location.href): string {
    return writeLink(page, this.roomId, [...new Set([this.hub, this.#server])]);
  }

  /** Takes what the server tells of this room. @internal */
  told(notification: Notification): void {
    switch (notification.type) {
      case "appended":
        // What comes while missed events are read is shown behind them.
        if (this.#missing) return void this.#missing.catch(() => undefined).then(() => this.#appended(notification));
        return this.#appended(notification);
      case "notSent":
        return this.#refused(notification.lpduId, notification.error);
      case "resent": {
        const sending = this.#sending.get(notification.old);
        if (sending) this.#sending.set(notification.new, sending);
        return;
      }
      case "ephemeral":
        return this.#ephemeral(JSON.parse(notification.edu));
      case "rechecked":
      case "purged":
      case "filled":
        return void this.#update(notification.position);
      case "rejected":
        return this.emit("problem", { kind: "rejected", eventId: notification.eventId, error: notification.error });
      case "fork":
        return this.emit("problem", { kind: "fork", error: "the hub gave two events one place" });
      case "hole":
        return this.emit("problem", { kind: "hole", eventId: notification.eventId, error: "the hub does not serve this event" });
    }
  }

  /** Reads what was missed while another tab became the writer. @internal */
  catchUp(): Promise<void> {
    this.#missing ??= this.#readMissed().finally(() => (this.#missing = undefined));
    return this.#missing;
  }

  async #readMissed(): Promise<void> {
    for (let end = false; !end; ) {
      const page = await this.timeline({ from: this.#last + 1, limit: 200 });
      for (const event of page.events) this.#show(event);
      end = page.end;
    }
  }

  /** @internal */
  end(): void {
    this.#ended = true;
    this.#signalling.end();
    this.dispatchEvent(new Event("end"));
  }

  #ask<T extends Answer["type"]>(call: Call, ...types: T[]) {
    return this.#connection.ask(`room:${this.roomId}`, call, ...types);
  }

  #send(type: string, stateKey: string | undefined, content: object, txn?: string): Promise<Sent> {
    if (txn === undefined) return this.#sendAs(type, stateKey, content, crypto.randomUUID());
    let sent = this.#sent.get(txn);
    if (!sent) {
      sent = this.#sendAs(type, stateKey, content, txn);
      this.#sent.set(txn, sent);
      // An earlier page may have sent it: then nothing more is told of it.
      sent.then(({ eventId }) => setTimeout(() => this.#settle(eventId), PATIENCE), () => this.#sent.delete(txn));
    }
    return sent;
  }

  async #sendAs(type: string, stateKey: string | undefined, content: object, txn: string): Promise<Sent> {
    const event = echo(this.roomId, this.#user, type, stateKey, content, txn);
    this.emit("event", event);
    try {
      const call = { type: "send" as const, sender: this.#user, kind: type, stateKey, content: JSON.stringify(content), txn };
      const { eventId } = await this.#ask(call, "accepted");
      this.#sending.set(eventId, { txn, event: { ...event, eventId } });
      return { eventId, txn };
    } catch (error) {
      const { message, rung, rule } = error as HubletError;
      this.emit("event", { ...event, status: "refused", error: message, rung, rule });
      throw error;
    }
  }

  async #settle(eventId: string): Promise<void> {
    const sending = this.#sending.get(eventId);
    if (!sending || this.#ended) return;
    const event = await this.event(eventId).catch(() => undefined);
    if (event && this.#sending.delete(eventId)) this.emit("event", { ...event, txn: sending.txn });
  }

  #appended(entry: Entry): void {
    const sending = this.#sending.get(entry.lpduId ?? entry.eventId) ?? this.#sending.get(entry.eventId);
    const event = readEntry(entry, "sent", sending?.txn);
    if (!event) return;
    if (sending) {
      for (const [id, other] of this.#sending) if (other.txn === sending.txn) this.#sending.delete(id);
    }
    this.#show(event);
  }

  /** Shows an event that is new in the log; one that was shown already is passed over. */
  #show(event: RoomEvent): void {
    if (event.position === undefined || event.position <= this.#last) return;
    this.#last = event.position;
    const state = this.#remember(event);
    this.emit("event", event);
    if (state) this.emit("state", state);
    const redacted = event.type === "m.room.redaction" && (event.content["hublet.redacts"] ?? event.content.redacts);
    if (typeof redacted === "string") void this.#update(redacted);
  }

  async #update(idOrPosition: string | number): Promise<void> {
    const event = await this.event(idOrPosition).catch(() => undefined);
    if (!event) return;
    if (this.#state.get(`${event.type}\n${event.stateKey}`)?.eventId === event.eventId) this.#remember(event);
    this.emit("updated", event);
  }

  #refused(lpduId: string, error: string): void {
    const sending = this.#sending.get(lpduId);
    if (!sending) return;
    this.#sending.delete(lpduId);
    this.emit("event", { ...sending.event, eventId: lpduId, status: "refused", error });
  }

  #ephemeral(edu: { edu_type: string; content: any }): void {
    const { content } = edu;
    if (edu.edu_type === "m.typing") return this.emit("typing", { user: content.user_id, typing: content.typing });
    if (edu.edu_type === "hublet.ephemeral" && content.kind === SIGNAL) return this.#signalling.heard(serverOf(content.sender), content.data);
    if (edu.edu_type === "hublet.ephemeral") return this.emit("ephemeral", { sender: content.sender, kind: content.kind, data: content.data });
    const readers: Record<string, { event_ids: string[]; data?: { ts?: number } }> = content[this.roomId]?.["m.read"] ?? {};
    for (const [user, { event_ids, data }] of Object.entries(readers)) {
      const eventId = event_ids.at(-1);
      if (eventId) this.emit("receipt", { user, eventId, ts: data?.ts ?? 0 });
    }
  }

  #read(entries: Entry[]): RoomEvent[] {
    return entries.flatMap((entry) => readEntry(entry, "sent") ?? []);
  }

  #pending(entry: Entry): RoomEvent[] {
    const event = readEntry({ ...entry, position: undefined }, "sending", this.#sending.get(entry.eventId)?.txn);
    return event ? [event] : [];
  }

  #remember(event: RoomEvent): StateEvent | undefined {
    const { type, stateKey, sender, content, eventId } = event;
    if (stateKey === undefined) return undefined;
    const state = { type, stateKey, sender, content, eventId };
    this.#state.set(`${type}\n${stateKey}`, state);
    return state;
  }
}

/** The server in a user's or a room's ID. */
export function serverOf(id: string): string {
  return id.slice(id.indexOf(":") + 1);
}
