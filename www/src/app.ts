import { open, parseLink, type Hublet, type RoomInfo } from "hublet/browser";

import { serverOf } from "./names";
import { Changes } from "./state/changes";
import { messageOf, Session } from "./state/session";
import { addressWith, connect, knownSocket, socketOf } from "./state/socket";
import { displayName, serverName, setDisplayName, wasHere } from "./state/tab";

export type Screen =
  | { readonly at: "choose"; readonly error?: string }
  | { readonly at: "opening"; readonly what: string }
  | { readonly at: "room"; readonly session: Session };

/** The power that it takes to place an object in the scene: that of everybody. */
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
    return this.join("Joining", name, link.trim(), parsed.roomId, socketOf(link.trim()));
  }

  /** The hub is the server that the room was made at. */
  joinEdge(name: string, socket: string, roomId: string): Promise<void> {
    if (!parseLink(roomId) || !/^wss?:/.test(socket)) return this.refuse("A hub at the edge has an address that begins with wss:// or ws://, and a room’s ID is !room:hub.");
    return this.join("Connecting to the hub", name, roomId, roomId, socket);
  }

  openRoom(roomId: string): Promise<void> {
    return this.join("Opening the room", displayName(), roomId, roomId, knownSocket(roomId));
  }

  leaveScreen(): void {
    this.close();
    history.replaceState(null, "", location.pathname);
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

  /** A room that is here already is opened whether its hub can be reached or not. */
  private join(what: string, name: string, link: string, roomId: string, socket: string | undefined): Promise<void> {
    const find = async (hublet: Hublet): Promise<Session["room"]> => {
      const isHere = (await hublet.rooms()).some((room) => room.roomId === roomId && room.membership === "join");
      const linked = socket === undefined ? undefined : connect(hublet, roomId, socket);
      if (isHere) linked?.catch(console.warn);
      else await linked;
      return isHere ? hublet.room(roomId) : hublet.joinRoom(link);
    };
    return this.enter(what, name, find, socket);
  }

  private async enter(what: string, name: string, find: (hublet: Hublet) => Promise<Session["room"]>, socket?: string): Promise<void> {
    this.close();
    setDisplayName(name);
    this.show({ at: "opening", what });
    try {
      const hublet = await this.open();
      const session = await Session.start(hublet, await find(hublet), this.changes);
      await session.introduce(displayName());
      history.replaceState(null, "", session.room.link(addressWith(socket)));
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
