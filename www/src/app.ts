import { Hublet, open, parseLink, type RoomInfo } from "hublet/browser";

import { serverOf } from "./names";
import { Changes } from "./state/changes";
import { messageOf, Session } from "./state/session";
import { displayName, serverName, setDisplayName, wasHere } from "./state/tab";

export type Screen =
  | { readonly at: "choose"; readonly error?: string }
  | { readonly at: "opening"; readonly what: string }
  | { readonly at: "room"; readonly session: Session };

/** There once the package has links over WebSocket. */
interface Sockets {
  connectSocket(server: string, url: string): Promise<unknown>;
}

/** What a tab's user may do beside the objects of the demo, which everybody in the room may place. */
const EVERYBODY = 0;
const NAME = "Bench";

/** The whole tab: its server, and the screen that it shows. */
export class App {
  readonly changes = new Changes();
  screen: Screen = { at: "choose" };
  rooms: readonly RoomInfo[] = [];
  private server: Promise<Hublet> | undefined;

  constructor(private readonly worker: () => Worker) {}

  /** An invite in the address is followed at once; a tab that was here before comes back to its rooms. */
  async start(): Promise<void> {
    addEventListener("resize", this.changes.tell);
    addEventListener("hashchange", () => void this.follow());
    await this.follow();
  }

  /** Whether this build's API reaches a hub behind a WebSocket. */
  get hasSockets(): boolean {
    return "connectSocket" in Hublet.prototype;
  }

  makeRoom(name: string): Promise<void> {
    return this.enter("Making the room", name, async (hublet) => {
      const room = await hublet.createRoom({ name: NAME, public: true });
      const power = await room.state("m.room.power_levels");
      const content: { events?: object } = { ...power?.content };
      await room.setState("m.room.power_levels", "", { ...content, events: { ...content.events, "hublet.demo.object": EVERYBODY } });
      return room;
    });
  }

  joinRoom(name: string, link: string): Promise<void> {
    const parsed = parseLink(link.trim());
    if (!parsed) return this.refuse("That is no invite: it ends with #!room:server, and the button Invite of another tab shows one.");
    return this.enter("Joining", name, async (hublet) => {
      const known = (await hublet.rooms()).find((room) => room.roomId === parsed.roomId && room.membership === "join");
      return known ? hublet.room(parsed.roomId) : hublet.joinRoom(link.trim());
    });
  }

  /** The hub is the server that the room was made at. */
  joinEdge(name: string, url: string, roomId: string): Promise<void> {
    const hub = serverOf(roomId);
    return this.enter("Connecting to the hub", name, async (hublet) => {
      await (hublet as Hublet & Sockets).connectSocket(hub, url);
      return hublet.joinRoom(roomId, hub);
    });
  }

  openRoom(roomId: string): Promise<void> {
    return this.enter("Opening the room", displayName(), (hublet) => hublet.room(roomId));
  }

  leaveScreen(): void {
    this.close();
    history.replaceState(null, "", location.pathname + location.search);
    this.show({ at: "choose" });
    void this.listRooms();
  }

  private async follow(): Promise<void> {
    const current = this.screen.at === "room" ? this.screen.session.room.roomId : undefined;
    const parsed = parseLink(location.href);
    if (parsed && parsed.roomId !== current) await this.joinRoom(displayName(), location.href);
    else if (!parsed) await this.listRooms();
  }

  private async listRooms(): Promise<void> {
    if (!this.server && !wasHere()) return;
    try {
      this.rooms = (await (await this.open()).rooms()).filter((room) => room.membership === "join");
    } catch (error) {
      this.show({ at: "choose", error: messageOf(error) });
    }
    this.changes.tell();
  }

  private async enter(what: string, name: string, find: (hublet: Hublet) => Promise<Session["room"]>): Promise<void> {
    this.close();
    setDisplayName(name);
    this.show({ at: "opening", what });
    try {
      const hublet = await this.open();
      const session = await Session.start(hublet, await find(hublet), this.changes);
      await session.introduce(displayName());
      history.replaceState(null, "", new URL(session.room.link(location.href)).hash);
      this.show({ at: "room", session });
    } catch (error) {
      this.show({ at: "choose", error: messageOf(error) });
    }
  }

  private open(): Promise<Hublet> {
    this.server ??= serverName().then((name) => open({ name, worker: this.worker }));
    // A server that could not be opened is tried again with the next wish.
    this.server.catch(() => (this.server = undefined));
    return this.server;
  }

  private async refuse(error: string): Promise<void> {
    this.show({ at: "choose", error });
  }

  private close(): void {
    if (this.screen.at === "room") this.screen.session.end();
  }

  private show(screen: Screen): void {
    this.screen = screen;
    this.changes.tell();
  }
}
