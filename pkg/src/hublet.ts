// A server, as one tab has it.
import type { Call, Keeper, LinkKind, Notice, Notification, Opened, Role, SendError } from "./module/hublet.js";
import { importLog } from "./archive.js";
import { answerChannel, bridge, offerChannel } from "./channel.js";
import { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { HubletError } from "./error.js";
import { parseLink } from "./link.js";
import { Room, serverOf, type Membership } from "./room.js";

/** Another server that can be reached, or no longer. */
export interface Peer {
  /** Its name. */
  server: string;
  /** What carries the requests. */
  link: LinkKind;
  /** Whether it can be reached. */
  connected: boolean;
  /** Milliseconds: when that changed. */
  since: number;
}

/** A request between this server and another. */
export interface Traffic {
  /** `out`: this server asked. */
  direction: "out" | "in";
  /** The other server. */
  server: string;
  /** What carried it. */
  link: LinkKind;
  /** The method. */
  method: string;
  /** Path and query. */
  target: string;
  /** The size of its body. */
  bytes: number;
  /** The status of the answer, or why there was none. */
  status: number | SendError;
  /** How long it took. */
  ms: number;
  /** Events of the transaction that the receiver refused, by ID, with its words. */
  refused: Record<string, string>;
  /** Whether it was changed on its way by `tamper`. */
  tampered: boolean;
}

/** A room of the user's. */
export interface RoomInfo {
  /** The room's ID. */
  roomId: string;
  /** Whether the user is in, is invited or knocks. */
  membership: Membership;
  /** Its name, where the user is in it and it has one. */
  name?: string;
  /** The server that orders it, where the user is in it. */
  hub?: string;
}

/** An invite to a room that the server is not in. */
export interface Invite {
  /** The room's ID. */
  roomId: string;
  /** Who invites. */
  sender: string;
  /** The server that orders the room. */
  hub: string;
}

/** A link that waits for the other side's answer. */
export interface PeerOffer {
  /** What the other side's `answerPeer` takes. */
  offer: string;
  /** Takes what that gave, and answers when the link stands. */
  accept(answer: string): Promise<Peer>;
}

/** What happens to a server. */
export interface HubletEvents {
  /** Another tab writes from now on, or this one does. */
  role: Role;
  /** A server can be reached, or no longer. */
  peer: Peer;
  /** The links were cut, or put back. */
  online: boolean;
  /** The user has joined a room or left one, or an invite has ended. */
  rooms: RoomInfo[];
  /** The user is invited. */
  invite: Invite;
  /** A request was answered, or not. */
  traffic: Traffic;
}

/** Links that are made anew when they break, by whichever tab writes. */
type KeptLink = "socket" | "http";

/** A server, as this tab has it. */
export class Hublet extends Emitter<HubletEvents> implements AsyncDisposable {
  /** The server's name: its public key and `.key.invalid`. */
  readonly server: string;
  /** The user's ID. */
  readonly user: string;
  readonly #connection: Connection;
  readonly #rooms = new Map<string, Promise<Room>>();
  /** Rooms that are being made. */
  readonly #making = new Map<string, Promise<Room>>();
  readonly #peers = new Map<string, Peer>();
  /** Addresses of servers to which this page has asked for links: whoever writes keeps them. */
  readonly #kept: Record<KeptLink, Map<string, string>>;
  #role: Role;
  #key: Keeper = "memory";
  #online = true;

  /** Made by `open`. @internal */
  constructor(connection: Connection, opened: Opened, sockets: Record<string, string>, http: Record<string, string>) {
    super();
    this.#connection = connection;
    this.#kept = { socket: new Map(Object.entries(sockets)), http: new Map(Object.entries(http)) };
    this.server = opened.server;
    this.user = opened.user;
    this.#role = opened.role;
    connection.onNotice = (notice) => this.#noticed(notice);
    connection.onRole = (role) => this.#changed(role);
  }

  /** Who writes. */
  get role(): Role {
    return this.#role;
  }

  /** Who keeps the private half of the server's key. */
  get key(): Keeper {
    return this.#key;
  }

  /** Whether the links are not cut by `goOffline`. */
  get online(): boolean {
    return this.#online;
  }

  /** The servers that can be reached. */
  get peers(): readonly Peer[] {
    return [...this.#peers.values()].filter(({ connected }) => connected);
  }

  /** Reads how the server stands. @internal */
  async refresh(): Promise<void> {
    const { info } = await this.#connection.call("info");
    this.#key = info?.key ?? this.#key;
    this.#online = info?.online ?? true;
    // Whoever writes now may not reach whom the writer before it reached.
    const isReached = new Set(info?.peers.map(({ server }) => server));
    for (const peer of this.peers) if (!isReached.has(peer.server)) this.#reached({ ...peer, connected: false, since: Date.now() });
    for (const { server, link } of info?.peers ?? []) {
      const known = this.#peers.get(server);
      if (!known?.connected || known.link !== link) this.#peers.set(server, { server, link, connected: true, since: Date.now() });
    }
  }

  /** Makes a room with this server as its hub. `transferable` (true) lets it move to another later. The same `txn` makes no second room. */
  async createRoom(options: { name?: string; public?: boolean; transferable?: boolean; txn?: string } = {}): Promise<Room> {
    const { name, public: isPublic = false, transferable = true, txn = crypto.randomUUID() } = options;
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`${this.user} ${txn}`));
    const opaque = btoa(String.fromCharCode(...new Uint8Array(hash, 0, 16))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    const roomId = `!${opaque}:${this.server}`;
    const content = transferable ? JSON.stringify({ "hublet.hub_transfer": true }) : undefined;
    const known = this.#making.get(roomId) ?? this.#rooms.get(roomId);
    if (known) return known;
    const making = this.#make(roomId, { type: "create", creator: this.user, public: isPublic, name, content });
    this.#making.set(roomId, making);
    return making.finally(() => this.#making.delete(roomId));
  }

  /** Joins a room by its link or ID, also where there is an invite. Asked are the servers `via`, else those in the link, the inviter's hub and the server in the room's ID. */
  async joinRoom(linkOrId: string, via: string | string[] = []): Promise<Room> {
    const link = parseLink(linkOrId);
    if (!link) throw new HubletError("argument", `this is no link to a room: ${linkOrId}`);
    const { roomId } = link;
    const invite = (await this.invites()).find((invite) => invite.roomId === roomId);
    const servers = [via, link.via, invite?.hub ?? [], serverOf(roomId)].flat().filter((server) => server !== this.server);
    const call = { type: "member" as const, user: this.user, membership: "join" as const, via: [...new Set(servers)] };
    await this.#connection.ask(`room:${roomId}`, call, "accepted");
    return this.#opened(roomId);
  }

  /** The rooms that the user is in, is invited to or knocks at. */
  async rooms(): Promise<RoomInfo[]> {
    const { rooms } = await this.#connection.ask(`account:${this.user}`, { type: "rooms" }, "rooms");
    return Promise.all(
      rooms.map(async ({ roomId, membership }) => {
        if (membership !== "join") return { roomId, membership };
        const room = await this.#opened(roomId).catch(() => undefined);
        return { roomId, membership, name: room?.name, hub: room?.hub };
      }),
    );
  }

  /** A room that the user is in, from what is kept here: no network is asked. */
  async room(roomId: string): Promise<Room> {
    return this.#opened(roomId);
  }

  /** Invites to rooms that the server is not in. */
  async invites(): Promise<Invite[]> {
    const { invites } = await this.#connection.ask(`account:${this.user}`, { type: "invites" }, "invites");
    return invites.map(({ roomId, sender, hub }) => ({ roomId, sender, hub }));
  }

  /** Declines an invite. */
  async rejectInvite(roomId: string): Promise<void> {
    const via = (await this.invites()).filter((invite) => invite.roomId === roomId).map(({ hub }) => hub);
    await this.#connection.ask(`room:${roomId}`, { type: "member", user: this.user, membership: "leave", via }, "accepted");
  }

  /** Sets the user's profile; `null` removes a field. */
  async setProfile(profile: { displayname?: string | null; avatarUrl?: string | null }): Promise<void> {
    const fields = [
      ["displayname", profile.displayname],
      ["avatar_url", profile.avatarUrl],
    ] as const;
    for (const [field, value] of fields) {
      if (value === undefined) continue;
      await this.#connection.ask(`account:${this.user}`, { type: "setProfile", field, value: value ?? undefined }, "done");
    }
  }

  /** Cuts every link, as if the plug were pulled: what is sent meanwhile is kept, and goes out in order after `goOnline`. */
  async goOffline(): Promise<void> {
    await this.#connection.call("offline");
  }

  /** Puts all links back. */
  async goOnline(): Promise<void> {
    await this.#connection.call("online");
  }

  /**
   * A link over a port whose other end someone else holds: a worker, an iframe, another window. Answers when the server there has proved its name. It stands for as long as this
   * tab, whichever tab writes.
   */
  async connectPort(port: MessagePort): Promise<Peer> {
    return this.#connect(port, "port");
  }

  /**
   * Keeps a WebSocket to a server that accepts such links, whichever tab writes. Answers when the link stands for the first time.
   * @throws {HubletError} `unreachable`, when it does not stand now, with the reason: it is tried again, later each time, until `disconnectSocket`. `argument`, when the address is none.
   */
  async connectSocket(server: string, url: string): Promise<Peer> {
    return this.#keep("socket", server, url);
  }

  /** Keeps the WebSocket to a server no longer. */
  async disconnectSocket(server: string): Promise<void> {
    await this.#hangUp("socket", server);
  }

  /**
   * Keeps a link over HTTP to a server that accepts such links, such as a hub at the edge, where WebSockets are blocked: `https://hub.example/_hublet/link`. Whichever tab writes keeps
   * it. Answers when the link stands for the first time. Of several links to one server the newest carries the requests.
   * @throws {HubletError} `unreachable`, when it does not stand now, with the reason: it is tried again, later each time, until `disconnectHttp`. `argument`, when the address is none.
   */
  async connectHttp(server: string, url: string): Promise<Peer> {
    return this.#keep("http", server, url);
  }

  /** Keeps the link over HTTP to a server no longer. */
  async disconnectHttp(server: string): Promise<void> {
    await this.#hangUp("http", server);
  }

  /** A link over an open data channel, reliable and ordered. It stands for as long as this page, whichever tab writes. */
  async connectChannel(channel: RTCDataChannel): Promise<Peer> {
    return this.#connect(bridge(channel), "rtc");
  }

  /** Begins a link between two browsers, to be signalled by hand (`Room.connectPeer` does it through a room): `answerPeer` there takes the offer, `accept` here takes its answer. */
  async offerPeer(config?: RTCConfiguration): Promise<PeerOffer> {
    const { offer, accept } = await offerChannel(config);
    return { offer, accept: async (answer) => this.connectChannel(await accept(answer)) };
  }

  /** Takes an offer of `offerPeer`. */
  async answerPeer(offer: string, config?: RTCConfiguration): Promise<{ answer: string; connected: Promise<Peer> }> {
    const { answer, channel } = await answerChannel(offer, config);
    return { answer, connected: channel.then((channel) => this.connectChannel(channel)) };
  }

  /**
   * For demonstrations: flips one bit of the next transaction with events that this server sends. `request`: in what is sent, so that the request's own signature fails. `event`: in an
   * event, the request signed over it by us, so that the event's hash or signature fails. The `traffic` event with `tampered` shows what refused it.
   */
  async tamper(where: "request" | "event"): Promise<void> {
    await this.#connection.call("tamper", { where });
  }

  /** A room's log as JSON lines. */
  async exportRoom(roomId: string): Promise<Blob> {
    return (await this.#opened(roomId)).export();
  }

  /**
   * Takes a room back from its export, of `exportRoom` or of a hub at the edge: this server had it and lost it, or wants to read it. Every line is checked as if the hub had sent it.
   * What was appended after the export is not in it: as the hub, go on only when nobody else has more.
   * @throws {HubletError} `refused`, with the line that breaks a rule, or when the room is here; then nothing has changed. `argument`, when the file is no export.
   */
  async importRoom(file: Blob): Promise<Room> {
    return this.#opened(await importLog(this.#connection, file));
  }

  /**
   * The whole server, its key included: keep it as you keep a password.
   * @throws {HubletError} `unsupported`, when the browser keeps the key (`key` is `platform`): a server that is to be moved is opened with `key: "sealed"` when it is made. Its rooms
   * can be exported in any case, by `exportRoom`.
   */
  async exportServer(): Promise<Blob> {
    const { bytes } = await this.#connection.call("export");
    return new Blob([bytes as Uint8Array<ArrayBuffer>]);
  }

  /** Makes this server what an export says; its key is `sealed` then, so that it can be exported again. It must have no rooms, unless `overwrite`. It is closed then: open it again. */
  async importServer(file: Blob, options: { overwrite?: boolean } = {}): Promise<void> {
    if (!options.overwrite && (await this.rooms()).length > 0) throw new HubletError("argument", "this server has rooms; pass `overwrite` to lose them");
    await this.#connection.call("import", { file: new Uint8Array(await file.arrayBuffer()) });
    await this.close();
  }

  /** Asks the browser to keep the data even when room is short. Some ask the user, so do it in answer to a click. */
  async persist(): Promise<boolean> {
    return (await navigator.storage?.persist?.()) ?? false;
  }

  /** How much is kept for this origin and how much may be, in bytes, and whether it is kept even when room is short. */
  async storage(): Promise<{ used: number; quota: number; persisted: boolean }> {
    const { usage = 0, quota = 0 } = (await navigator.storage?.estimate?.()) ?? {};
    return { used: usage, quota, persisted: (await navigator.storage?.persisted?.()) ?? false };
  }

  /** Ends this tab's part. Other tabs of the server go on. */
  async close(): Promise<void> {
    // What is under way is done first; a writer that cannot be reached any more keeps nobody waiting.
    await Promise.race([this.#connection.call("close").catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 1_000))]);
    this.#connection.end(new HubletError("closed", "the server was closed by this page"));
    for (const room of this.#rooms.values()) room.then((room) => room.end()).catch(() => undefined);
  }

  /** `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Whoever writes is to have our links, which may not have been its own. @internal */
  keepLinks(): void {
    for (const link of ["socket", "http"] as const) {
      for (const [server, url] of this.#kept[link]) this.#connection.call("keep", { link, server, url }).catch(ignore);
    }
  }

  async #keep(link: KeptLink, server: string, url: string): Promise<Peer> {
    this.#kept[link].set(server, url);
    try {
      await this.#connection.call("keep", { link, server, url });
    } catch (error) {
      if ((error as HubletError).code === "argument") this.#kept[link].delete(server);
      throw error;
    }
    return this.#peers.get(server) ?? { server, link, connected: true, since: Date.now() };
  }

  async #hangUp(link: KeptLink, server: string): Promise<void> {
    this.#kept[link].delete(server);
    await this.#connection.call("hangUp", { link, server });
  }

  /** The room's first events are told before the answer, so that nothing has to be read. */
  async #make(roomId: string, call: Call): Promise<Room> {
    const room = new Room(this.#connection, this, roomId);
    this.#rooms.set(roomId, Promise.resolve(room));
    try {
      await this.#connection.ask(`room:${roomId}`, call, "created");
      return room;
    } catch (error) {
      this.#rooms.delete(roomId);
      // Its ID follows from the transaction's: a room of that ID is the one that was asked for before.
      if (!(error instanceof HubletError && error.errcode === "M_BAD_STATE")) throw error;
      return this.#opened(roomId);
    }
  }

  async #connect(port: MessagePort, kind: LinkKind): Promise<Peer> {
    const { named = "" } = await this.#connection.call("port", { port, kind }, [port]);
    return this.#peers.get(named) ?? { server: named, link: kind, connected: true, since: Date.now() };
  }

  #opened(roomId: string): Promise<Room> {
    let room = this.#rooms.get(roomId);
    if (!room) {
      room = new Room(this.#connection, this, roomId).load();
      this.#rooms.set(roomId, room);
      // One that could not be opened may be there later.
      room.catch(() => this.#rooms.delete(roomId));
    }
    return room;
  }

  #noticed(notice: Notice): void {
    switch (notice.notice) {
      case "told":
        return this.#told(notice.notification);
      case "peer": {
        const { server, link, connected, at: since } = notice;
        return this.#reached({ server, link, connected, since });
      }
      case "online":
        this.#online = notice.online;
        return this.emit("online", notice.online);
      case "traffic": {
        const { notice: _, answer, ...traffic } = notice;
        return this.emit("traffic", { ...traffic, refused: refusedOf(answer) });
      }
    }
  }

  #reached(peer: Peer): void {
    this.#peers.set(peer.server, peer);
    this.emit("peer", peer);
  }

  #told(notification: Notification): void {
    if (notification.type === "invited" && notification.user === this.user) {
      const { roomId, sender } = notification;
      this.invites().then((invites) => this.emit("invite", invites.find((invite) => invite.roomId === roomId) ?? { roomId, sender, hub: serverOf(sender) }), ignore);
    }
    if (!("roomId" in notification)) return;
    const { roomId } = notification;
    this.#rooms.get(roomId)?.then((room) => room.told(notification), ignore);
    const isOurs = notification.type === "appended" && JSON.parse(new TextDecoder().decode(notification.event)).state_key === this.user;
    if (isOurs || notification.type === "inviteEnded") this.rooms().then((rooms) => this.emit("rooms", rooms), ignore);
  }

  #changed(role: Role): void {
    this.#role = role;
    this.emit("role", role);
    this.refresh().catch(ignore);
    this.keepLinks();
    for (const room of this.#rooms.values()) room.then((room) => room.catchUp()).catch(ignore);
  }
}

function refusedOf(answer: string | undefined): Record<string, string> {
  try {
    const failed: Record<string, { error?: string }> = JSON.parse(answer ?? "{}").failed_pdus ?? {};
    return Object.fromEntries(Object.entries(failed).map(([id, { error }]) => [id, error ?? ""]));
  } catch {
    return {};
  }
}

/** For what is tried for its own sake: whoever waits for more is told by its own call. */
function ignore(): void {}
