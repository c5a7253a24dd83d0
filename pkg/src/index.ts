/**
 * A server in the page: `import { open } from "hublet/browser"`.
 * @module hublet/browser
 */
import { Connection } from "./connection.js";
import { HubletError } from "./error.js";
import { Hublet } from "./hublet.js";

export { parseLink } from "./link.js";
export { Hublet, HubletError };
export { Room } from "./room.js";
export type { Listener } from "./emitter.js";
export type { ErrorCode, HashProof, Keeper, LinkKind, Proof, Role, Rung, SendError, SignatureProof } from "./module/hublet.js";
export type { Check, RoomEvent, StateEvent, Status } from "./event.js";
export type { HubletEvents, Invite, Peer, PeerOffer, RoomInfo, Traffic } from "./hublet.js";
export type { Member, Membership, RoomEvents, Sent } from "./room.js";
export type { AcceptPeersOptions, ConnectPeerOptions } from "./signalling.js";

/** How a server is opened. */
export interface OpenOptions {
  /** Which server of this origin; `main` unless another is given. Tabs that open the same name share one server. */
  name?: string;
  /** The local part of the user's ID; `me` unless another is given. */
  user?: string;
  /** Where its rooms are kept: `indexeddb`, or `memory`, which is gone with the tab and shared with none. */
  store?: "indexeddb" | "memory";
  /**
   * Who keeps the key of a server that is made now: `platform`, unless `sealed` is given, which can be exported with the server. Where the browser's WebCrypto has no Ed25519 it is `sealed` in any
   * case. A server that is there already keeps its key as it is, and one in memory keeps none: `key` of `Hublet` says which it is.
   */
  key?: "platform" | "sealed";
  /** The ways to other servers. */
  links?: {
    /** To servers in other tabs of this origin; yes unless `false`. */
    tabs?: boolean;
    /** To servers behind a WebSocket, by name: `{ "hub.example": "wss://hub.example/_hublet/link" }`. Kept, and made anew when they break. */
    sockets?: Record<string, string>;
    /** To servers over HTTP, where no WebSocket gets through, by name: `{ "hub.example": "https://hub.example/_hublet/link" }`. Kept likewise. */
    http?: Record<string, string>;
  };
  /** Makes the worker, where a bundler has to see its file: `() => new Worker(new URL("hublet/worker", import.meta.url), { type: "module" })`. */
  worker?: () => Worker;
}

/**
 * Opens a server in a worker of this tab, or takes part in the one that another tab has open.
 * @throws {HubletError} `quota`, `blocked`, `store_newer`, `store_denied`, `store`, `unsupported`, `worker` or `argument`.
 */
export async function open(options: OpenOptions = {}): Promise<Hublet> {
  const { name = "main", user = "me", store = "indexeddb", key = "platform", links = {}, worker = ownWorker } = options;
  if (!/^[0-9a-z\-.=_/+]+$/.test(user)) throw new HubletError("argument", "`user`: may have 0-9 a-z - . = _ / + only");
  const connection = new Connection(worker());
  try {
    const { tabs = true, sockets = {}, http = {} } = links;
    const opened = await connection.open({ name, user, store, key, links: { tabs, sockets, http } });
    const hublet = new Hublet(connection, opened, sockets, http);
    hublet.keepLinks();
    await hublet.refresh();
    return hublet;
  } catch (error) {
    connection.end(error as HubletError);
    throw error;
  }
}

function ownWorker(): Worker {
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "hublet" });
}
