import type { Hublet, HubletError, Member, Room, RoomEvent, StateEvent, Traffic } from "hublet/browser";

import { Palette, serverOf, shortServer } from "../names";
import { sentence } from "../proof/describe";
import type { Changes } from "./changes";
import { listenForHub } from "./hub";
import { Inspection } from "./inspection";
import { Lanes } from "./lanes";
import { Log } from "./log";
import { Notices } from "./notices";

/** Something that a server would not take, and where on the line that was. */
export interface Refusal {
  readonly number: number;
  /** Absent when a whole request was refused. */
  readonly eventId: string | undefined;
  /** The last event that was in our log then. */
  readonly after: number;
  readonly from: string;
  readonly by: string;
  readonly reason: string;
}

/** What went over the links, summed. */
export interface Sums {
  requests: number;
  bytesIn: number;
  bytesOut: number;
  lastMs: number | undefined;
}

/** What stands beside the conversation, or in its place where there is no room for both. */
export type Side = "chat" | "event" | "sensors" | "call" | "scene";

/** The state that tells who is here and what they may do. */
const MEMBERS = new Set(["m.room.member", "m.room.power_levels"]);

/** How long a call rings, in milliseconds. */
export const RINGS = 60_000;

const PAGE = 60;

/** One room as this tab shows it: its log, who is there, what is going on. Everything here is what the API told, in a form to draw from. */
export class Session {
  readonly log = new Log();
  readonly lanes: Lanes;
  readonly palette = new Palette();
  readonly notices: Notices;
  readonly refusals: Refusal[] = [];
  readonly typing = new Set<string>();
  readonly receipts = new Map<string, string>();
  readonly sums: Sums = { requests: 0, bytesIn: 0, bytesOut: 0, lastMs: undefined };
  members: readonly Member[] = [];
  /** Loaded for those who ask. */
  state: readonly StateEvent[] = [];
  older: "more" | "loading" | "end" = "more";
  selected: string | undefined;
  side: Side = "chat";
  /** What the next transaction with events will suffer. */
  armed: "event" | "request" | undefined;
  /** The hub that has offered this server to become the next one. */
  offeredBy: string | undefined;
  readonly inspection: Inspection;
  private readonly ending = new AbortController();

  private constructor(
    readonly hublet: Hublet,
    readonly room: Room,
    readonly changes: Changes,
  ) {
    this.notices = new Notices(changes.tell);
    this.lanes = new Lanes(hublet.server);
    this.inspection = new Inspection(room, changes);
  }

  /** Listens before it reads, so that nothing falls in between. */
  static async start(hublet: Hublet, room: Room, changes: Changes): Promise<Session> {
    const session = new Session(hublet, room, changes);
    session.listen();
    listenForHub(session);
    await Promise.all([session.loadMembers(), session.loadOlder()]);
    return session;
  }

  /** Ends with the session: for listeners of panels. */
  get signal(): AbortSignal {
    return this.ending.signal;
  }

  get online(): boolean {
    return this.hublet.online;
  }

  end(): void {
    this.ending.abort();
  }

  nameOf(user: string): string {
    return this.members.find((member) => member.user === user)?.displayname ?? `${user.slice(1, user.indexOf(":"))} ${shortServer(serverOf(user))}`;
  }

  /** The server's first user, whose name stands for it. */
  nameOfServer(server: string): string {
    const member = this.joined.find((member) => member.server === server) ?? this.members.find((member) => member.server === server);
    return member?.displayname ?? shortServer(server);
  }

  get joined(): readonly Member[] {
    return this.members.filter((member) => member.membership === "join");
  }

  /** Whether a server can be reached now: ourselves always, others when a link to them stands. */
  reaches(server: string): boolean {
    return server === this.hublet.server || (this.online && this.hublet.peers.some((peer) => peer.server === server && peer.connected));
  }

  /** An event's place counted from the beginning of the room, once that is here; a server's own count begins with its join. */
  numberOf(event: RoomEvent): number | undefined {
    const first = this.log.events[0];
    if (event.position === undefined || first?.type !== "m.room.create") return event.position;
    return event.position - (first.position ?? 0);
  }

  select(eventId: string | undefined): void {
    this.selected = eventId;
    this.changes.tell();
  }

  /** Says in the room what its user is called, unless the room knows. */
  async introduce(displayname: string): Promise<void> {
    const { user } = this.hublet;
    const known = this.members.find((member) => member.user === user);
    if (known?.displayname === displayname) return;
    await this.attempt("Your name", this.room.setState("m.room.member", user, { membership: "join", displayname }));
  }

  /** The first that the room hears of somebody; later events of the same kind give a new name. */
  private isFirst({ stateKey, eventId }: RoomEvent): boolean {
    return this.log.events.find((event) => event.type === "m.room.member" && event.stateKey === stateKey)?.eventId === eventId;
  }

  /** What an event says in the conversation, or nothing when it does not belong there. */
  tellingOf(event: RoomEvent): string | undefined {
    const renames = event.type === "m.room.member" && event.content.membership === "join" && !this.isFirst(event);
    return renames ? undefined : sentence(event, (user) => this.nameOf(user), (server) => this.nameOfServer(server));
  }

  /** Whether another has just called and nobody has answered: the newest event of a call is an invite. */
  get isRinging(): boolean {
    const newest = this.log.events.findLast(({ type }) => type.startsWith("m.call.") && type !== "m.call.candidates");
    return newest?.type === "m.call.invite" && newest.sender !== this.hublet.user && Date.now() - newest.originServerTs < RINGS;
  }

  /** Puts an event under the glass, whatever stood there. */
  inspect(eventId: string): void {
    this.side = "event";
    this.select(eventId);
  }

  async loadOlder(): Promise<void> {
    if (this.older === "loading") return;
    this.older = "loading";
    this.changes.tell();
    const first = this.log.events[0]?.position;
    const answer = await this.attempt("The older events", this.room.timeline({ limit: PAGE, ...(first === undefined ? {} : { before: first }) }));
    answer?.events.forEach((event) => this.take(event));
    this.older = answer?.end === false ? "more" : "end";
    this.changes.tell();
  }

  async loadState(): Promise<void> {
    this.state = (await this.attempt("The state", this.room.state())) ?? this.state;
  }

  /** Waits for what a person asked for, and says so when it fails. */
  async attempt<T>(what: string, promise: Promise<T>): Promise<T | undefined> {
    try {
      return await promise;
    } catch (error) {
      this.notices.add("failed", `${what}: ${messageOf(error)}`);
      return undefined;
    }
  }

  private listen(): void {
    const { hublet, room, changes } = this;
    const options = { signal: this.ending.signal };
    room.addEventListener("event", ({ detail }) => this.arrive(detail), options);
    room.addEventListener("updated", ({ detail }) => this.take(detail), options);
    room.addEventListener("state", ({ detail }) => void (MEMBERS.has(detail.type) && this.loadMembers()), options);
    room.addEventListener("typing", ({ detail }) => {
      if (detail.typing && detail.user !== hublet.user) this.typing.add(detail.user);
      else this.typing.delete(detail.user);
      changes.tell();
    }, options);
    room.addEventListener("receipt", ({ detail }) => {
      this.receipts.set(detail.user, detail.eventId);
      changes.tell();
    }, options);
    room.addEventListener("problem", ({ detail }) => {
      this.notices.add("failed", `The hub broke a rule (${detail.kind}): ${detail.error}`);
    }, options);
    hublet.addEventListener("traffic", ({ detail }) => this.account(detail), options);
    hublet.addEventListener("online", ({ detail }) => this.lane(hublet.server, detail), options);
    hublet.addEventListener("peer", ({ detail }) => this.lane(detail.server, detail.connected), options);
  }

  private arrive(event: RoomEvent): void {
    this.take(event);
    this.typing.delete(event.sender);
    if (event.type === "m.room.message" && event.status === "sent" && event.sender !== this.hublet.user) {
      this.notices.say(`${this.nameOf(event.sender)}: ${String(event.content.body ?? "")}`);
    }
    if (event.status === "refused") this.refused(event);
    if (event.type === "m.call.invite" && this.isRinging && this.side !== "call") this.notices.add("done", `${this.nameOf(event.sender)} is calling: open Call to answer`);
  }

  private take(event: RoomEvent): void {
    this.log.take(event);
    this.lanes.see(serverOf(event.sender), event.position);
    this.changes.tell();
  }

  private async loadMembers(): Promise<void> {
    this.members = (await this.attempt("The members", this.room.members())) ?? this.members;
    for (const { membership, server } of this.members) if (membership === "join") this.lanes.see(server);
    this.changes.tell();
  }

  private lane(server: string, connected: boolean): void {
    this.lanes.mark(server, connected, Date.now());
    this.changes.tell();
  }

  /** One of ours will not appear: the hub's answer has been marked already, or our own server refused it by the room's rules. */
  private refused(event: RoomEvent): void {
    const { hublet } = this;
    if (!this.refusals.some(({ eventId }) => eventId === event.eventId)) this.mark(hublet.server, hublet.server, event.error ?? "no reason given", event.eventId);
  }

  private mark(from: string, by: string, reason: string, eventId?: string): void {
    this.refusals.push({ number: this.refusals.length, eventId, after: this.log.head?.position ?? 0, from, by, reason });
    this.notices.add("refused", `${this.nameOfServer(by)} refused what ${this.nameOfServer(from)} sent: ${reason}`);
  }

  private account(traffic: Traffic): void {
    const { direction, bytes, ms, status, refused, tampered, server } = traffic;
    this.sums.requests += 1;
    if (direction === "in") this.sums.bytesIn += bytes;
    else this.sums.bytesOut += bytes;
    if (direction === "out" && typeof status === "number") this.sums.lastMs = ms;
    if (tampered && direction === "out") this.armed = undefined;
    const [from, by] = direction === "out" ? [this.hublet.server, server] : [server, this.hublet.server];
    for (const [eventId, reason] of Object.entries(refused)) this.mark(from, by, reason, eventId);
    if (tampered && typeof status === "number" && status >= 400) this.mark(from, by, `the request’s own signature is wrong (${status})`);
    this.changes.tell();
  }
}

export function messageOf(error: unknown): string {
  const { message, code } = error as Partial<HubletError>;
  return message || code || String(error);
}
