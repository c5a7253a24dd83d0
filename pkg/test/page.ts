// What a page of a TypeScript user looks like: it is checked, not run.
import {
  Hublet,
  HubletError,
  open,
  parseLink,
  Room,
  type ErrorCode,
  type Keeper,
  type LinkKind,
  type Peer,
  type RoomEvent,
  type Status,
} from "hublet/browser";
import { HubletError as SlimError, init, initSync, version } from "hublet/slim";

export async function bring(module: WebAssembly.Module | Response): Promise<string> {
  if (module instanceof Response) await init({ module_or_path: module });
  else initSync({ module });
  return `${version()} ${SlimError.name}`;
}

export async function use(): Promise<void> {
  await using server: Hublet = await open({ name: "main", user: "ann", store: "indexeddb", key: "sealed", links: { tabs: true } });
  const key: Keeper = server.key;
  console.log(key);
  const link = parseLink(location.hash);
  const room: Room = link ? await server.joinRoom(link.roomId, link.via) : await server.createRoom({ name: "Lobby" });
  room.addEventListener("event", ({ detail }) => {
    const status: Status = detail.status;
    console.log(status, detail.position ?? "not yet", detail.content.body);
  });
  room.addEventListener("typing", ({ detail: { user, typing } }) => console.log(user, typing));
  server.addEventListener("peer", ({ detail }) => console.log(detail.server, detail.link, detail.connected));
  const stop: () => void = room.acceptPeers({ from: link?.via });
  const { link: carrier }: { link: LinkKind } = await room.connectPeer(room.hub, { config: { iceServers: [] }, timeout: 5_000 });
  if (carrier === "rtc") stop();
  // @ts-expect-error: no such event
  room.addEventListener("nonsense", ({ detail }) => detail);
  const { txn }: { txn: string } = await room.sendMessage("Hello!");
  for await (const event of room.events({ from: 0 })) {
    const known: RoomEvent<{ body?: string }> = event;
    if (known.txn === txn) break;
  }
  const { link: way }: Peer = await server.connectHttp("hub.example", "https://hub.example/_hublet/link");
  if (way === "http") await server.disconnectHttp("hub.example");
  try {
    await room.kick("@nobody:example.org");
  } catch (error) {
    if (!(error instanceof HubletError)) throw error;
    const code: ErrorCode = error.code;
    // @ts-expect-error: no such code
    if (code === "nonsense") return;
    console.log(code, error.status, error.errcode);
  }
}
