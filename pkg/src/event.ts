// Events as the page sees them: the canonical bytes, read, with what was found when they were checked.
import type { Rung } from "./module/hublet.js";

/** sending: kept here, on its way to the hub. sent: in the log. refused: will not appear; `error` says why. */
export type Status = "sending" | "sent" | "refused";

/** A check that an event passed at this server. One that could not be made (a key is missing, the history is too old) is absent. */
export type Check = "schema" | "sender_signature" | "hub_signature" | "content_hash" | "hub" | "auth_rules" | "chain";

/** An event of a room. */
export interface RoomEvent<C = any> {
  /** Its ID. While it is sending: the ID of what goes to the hub, or `~` and the transaction ID before there is one. */
  readonly eventId: string;
  /** Its place in this server's log: 0 is our join, or at the hub the create event; what was before is negative. */
  readonly position?: number;
  /** The room. */
  readonly roomId: string;
  /** What it is, such as `m.room.message`. */
  readonly type: string;
  /** On events that set the room's state: which part. */
  readonly stateKey?: string;
  /** The user who sent it. */
  readonly sender: string;
  /** When, by the sender's server, in milliseconds. */
  readonly originServerTs: number;
  /** What it says. */
  readonly content: C;
  /** The hub that a participant's server meant it for; absent on events of the hub's own users. */
  readonly hub?: string;
  /** The event before it: one, or none for the first. */
  readonly prevEvents: readonly string[];
  /** The events of the state that allow it. */
  readonly authEvents: readonly string[];
  /** By server and key ID, in unpadded base64. */
  readonly signatures: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Hashes that it states, in unpadded base64. */
  readonly hashes: { readonly sha256?: string; readonly lpdu?: { readonly sha256: string } };
  /** What it passed here, in that order. */
  readonly checks: readonly Check[];
  /** Only its redacted copy is here. */
  readonly redacted: boolean;
  /** How far it has come. */
  readonly status: Status;
  /** Why it was refused. */
  readonly error?: string;
  /** Where on its way, when this server refused it. */
  readonly rung?: Rung;
  /** That rule, one of a few names such as `InviteLevel`. */
  readonly rule?: string;
  /** The transaction ID, when this page sent it. */
  readonly txn?: string;
  /** The ID of the LPDU, when a participant sent it and it came while the page was open. */
  readonly lpduId?: string;
  /** Its canonical bytes; none before it is signed. */
  readonly bytes: Uint8Array;
}

/** An event of the room's current state. */
export interface StateEvent<C = any> {
  /** What it is, such as `m.room.topic`. */
  type: string;
  /** Which part of the state. */
  stateKey: string;
  /** The user who sent it. */
  sender: string;
  /** What it says. */
  content: C;
  /** Its ID. */
  eventId: string;
}

/** What the module says of an entry of the log. */
export interface Entry {
  position?: number;
  eventId: string;
  lpduId?: string;
  event?: Uint8Array;
  senderVerified?: boolean;
  intact?: boolean;
  authorized?: boolean;
}

/** Reads an entry; nothing for a link or a hole, which have no event. */
export function readEntry(entry: Entry, status: Status, txn?: string): RoomEvent | undefined {
  if (!entry.event) return undefined;
  const event = JSON.parse(new TextDecoder().decode(entry.event));
  const { senderVerified = true, intact = true, authorized = true } = entry;
  const checks: Check[] = status === "sent" ? ["schema"] : [];
  if (status === "sent") {
    if (senderVerified) checks.push("sender_signature");
    checks.push("hub_signature");
    if (intact) checks.push("content_hash");
    checks.push("hub");
    if (authorized) checks.push("auth_rules");
    checks.push("chain");
  }
  return {
    eventId: entry.eventId,
    position: entry.position,
    roomId: event.room_id,
    type: event.type,
    stateKey: event.state_key,
    sender: event.sender,
    originServerTs: event.origin_server_ts,
    content: event.content,
    hub: event.hub_server,
    prevEvents: event.prev_events ?? [],
    authEvents: event.auth_events ?? [],
    signatures: event.signatures ?? {},
    hashes: event.hashes ?? {},
    checks,
    redacted: !intact,
    status,
    txn,
    lpduId: entry.lpduId,
    bytes: entry.event,
  };
}

/** An event that is not signed yet: what is shown at once. */
export function echo(roomId: string, sender: string, type: string, stateKey: string | undefined, content: object, txn: string): RoomEvent {
  return {
    eventId: `~${txn}`,
    roomId,
    type,
    stateKey,
    sender,
    originServerTs: Date.now(),
    content,
    prevEvents: [],
    authEvents: [],
    signatures: {},
    hashes: {},
    checks: [],
    redacted: false,
    status: "sending",
    txn,
    bytes: new Uint8Array(),
  };
}
