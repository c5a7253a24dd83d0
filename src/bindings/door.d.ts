/** A request as HTTP shapes it, on whatever link it came. `target` is the raw path and query. */
export interface HttpRequest {
  /** Such as `GET`. */
  method: string;
  /** Path and query, as sent. */
  target: string;
  /** In order; names in any case. */
  headers: [name: string, value: string][];
  /** Empty where there is none. */
  body: Uint8Array;
}

/** An answer as HTTP shapes it; the body is JSON. */
export interface HttpResponse {
  /** The status code. */
  status: number;
  /** JSON. */
  body: Uint8Array;
}

/** Why a request got no answer. */
export type SendError = "unreachable" | "timed_out" | "too_large";

/** Where on its way an event was refused: it came to the wrong place or from the wrong server, it is no event, its signatures or hashes, the rules of the room. */
export type Rung = "admission" | "schema" | "signatures" | "rules";

/** Which machine: `room:!id:server`, `peer:server`, `account:@user:server` or `front`. */
export type Address = string;

/** A server's name and keys. */
export interface Identity {
  /** The server's name, such as `hub.example` or `localhost:8787`. */
  name: string;
  /** The ID of the key that signs, such as `ed25519:1`. */
  keyId: string;
  /** The private key's seed, 32 bytes. */
  seed: Uint8Array;
  /** Keys that signed before; `key` is the public half in unpadded base64, `expiredAt` in milliseconds. */
  oldKeys?: { keyId: string; key: string; expiredAt: number }[];
  /** `host:port` for `.well-known`, where the server is not reached at its name. */
  reachedAt?: string;
}

/** What a local user, an operator or a host asks of a machine. JSON values are texts. */
export type Call =
  /** To a room that is not there yet: make it. Answered `created`. */
  | { type: "create"; creator: string; public: boolean; name?: string; version?: string; content?: string }
  /** To a room: send an event. Answered `accepted`. With a transaction ID of the client's own it is sent once, however often it is asked for within a day. */
  | { type: "send"; sender: string; kind: string; stateKey?: string; content: string; txn?: string }
  /** To a room: the events of its current state; of one type or key, where these are given. Answered `entries`. */
  | { type: "state"; kind?: string; stateKey?: string }
  /** To a room: what our users sent and the hub has not sent back, as LPDUs. Answered `entries`; the positions only count. */
  | { type: "pending" }
  /** To a room: one entry of its log, by its event's ID or by that of the LPDU that it was made of. Answered `history`. */
  | { type: "event"; eventId: string }
  /** To a room: join, knock or leave; `via` are servers to ask when we are not in it. Answered `accepted`. */
  | { type: "member"; user: string; membership: "join" | "knock" | "leave"; via?: string[] }
  /** To a room: the user types, or has stopped. Answered `done`. */
  | { type: "typing"; sender: string; typing: boolean }
  /** To a room: the user has read up to that event. Answered `done`. */
  | { type: "read"; sender: string; eventId: string }
  /** To a room: data of an application that is not kept, any JSON value; at most 4,096 bytes with what is around it. Answered `done`. */
  | { type: "ephemeral"; sender: string; kind: string; data: string }
  /** To a room: it may move to that server. Answered `done`. */
  | { type: "consent"; to: string }
  /** To a room: its log. Answered `entries`. */
  | { type: "timeline"; from: number; limit: number }
  /**
   * To a room: the last entries before a position, at most 1,000; 0 stands for our join, or the hub's first event. What is before our log is fetched from the hub and kept.
   * Answered `history`.
   */
  | { type: "history"; before: number; limit: number }
  /**
   * To a room: the next lines of its exported log, `from` how many came before; the room is there when the last of them is. A line that breaks a rule refuses
   * them all. Answered `done`, the last page `accepted` with the log's last event.
   */
  | { type: "restore"; from: number; lines: Uint8Array; end?: boolean }
  /** To an account: invites to rooms that we are not in. Answered `invites`. */
  | { type: "invites" }
  /** To an account: the user's rooms. Answered `rooms`. */
  | { type: "rooms" }
  /** To an account: messages to a device; those up to `after` are forgotten. Answered `messages`. */
  | { type: "messages"; device: string; after: number; limit: number }
  /** To an account: a device, as an object that its keys sign; one of the same ID is replaced. Answered `done`. */
  | { type: "putDevice"; content: string }
  /** To an account: one-time keys of a device, an object of name (`algorithm:id`) to key. Answered `done`. */
  | { type: "addKeys"; device: string; content: string; lastResort?: boolean }
  /** To an account: set a field of the profile, or remove it. Answered `done`. */
  | { type: "setProfile"; field: "displayname" | "avatar_url"; value?: string }
  /** To a peer: its keys, known or fetched, current and old. Answered `keys`. */
  | { type: "keys"; server: string; keyIds: string[] }
  /** To a peer: a request that says it comes from there. Answered `response`. */
  | { type: "serve"; request: HttpRequest }
  /** To a peer: send it a request as us. Answered `response` or `unreachable`. */
  | { type: "fetch"; method: string; target: string; body?: string }
  /** To a peer: the host has just got a link to it; what waits for the next attempt goes out. Answered `done`. */
  | { type: "reached" }
  /** To the front: a request that no peer serves. Answered `response`. */
  | { type: "front"; request: HttpRequest };

/** The answer to a call. Any call may be answered `refused` or `unavailable`. */
export type Answer =
  | { type: "done" }
  | { type: "response"; response: HttpResponse }
  | { type: "unreachable"; error: SendError }
  | { type: "created"; roomId: string }
  | { type: "accepted"; eventId: string }
  /** A link or a hole has no event; state that came with our join has no position. */
  | { type: "entries"; entries: { position?: number; eventId: string; event?: Uint8Array }[] }
  /** Oldest first. `authorized`: the rules were checked; they are not where what authorises an event lies further back than was read. */
  | {
      type: "history";
      entries: {
        position: number;
        eventId: string;
        event?: Uint8Array;
        senderVerified: boolean;
        intact: boolean;
        authorized: boolean;
      }[];
    }
  | { type: "keys"; keys: { id: string; key: string }[] }
  | { type: "invites"; invites: { roomId: string; hub: string; sender: string; version: string }[] }
  | { type: "rooms"; rooms: { roomId: string; membership: "join" | "invite" | "knock" | "leave" | "ban" }[] }
  | { type: "messages"; messages: { number: number; message: string }[] }
  /** `rung` and `rule`: what an event did not pass, where the machine that was asked refuses it. */
  | {
      type: "refused";
      status: number;
      errcode: string;
      error: string;
      hubServer?: string;
      head?: string;
      retryAfterMs?: number;
      rung?: Rung;
      rule?: string;
    }
  /** The machine that was asked is gone; ask again. */
  | { type: "unavailable" }
  /** What machines say to each other. */
  | { type: "other" };

/** What local users and operators are told. */
export type Notification =
  /** An event was appended. `intact`: its content hash fits, else it is the redacted copy. */
  | {
      type: "appended";
      roomId: string;
      position: number;
      eventId: string;
      lpduId?: string;
      event: Uint8Array;
      senderVerified: boolean;
      intact: boolean;
    }
  /** The hub sent an event that the rules refuse; only its link is kept. */
  | { type: "rejected"; roomId: string; eventId: string; error: string }
  /**
   * An event was refused and leaves no trace in the log. `rule` is a name such as `InviteLevel`; there are few of them, so they may be counted. `origin` is the server that
   * brought it, if it was not a local user.
   */
  | { type: "refused"; roomId: string; origin?: string; eventId?: string; rung: Rung; rule: string; errcode: string }
  /** The hub gave two events one place; each is signed by it. */
  | { type: "fork"; roomId: string; first: Uint8Array; second: Uint8Array }
  /** An event of ours that was not appended yet is made anew, for another hub or another head: it goes on under another ID. */
  | { type: "resent"; roomId: string; old: string; new: string }
  /** A sender's key that was missing has come. */
  | { type: "rechecked"; roomId: string; position: number; eventId: string; senderVerified: boolean }
  /** An event has outlived the room's policy: `event` is what is left of it, as if it had been redacted. */
  | { type: "purged"; roomId: string; position: number; eventId: string; event: Uint8Array }
  /** The hub serves nothing for this ID; the position stands for it. */
  | { type: "hole"; roomId: string; position: number; eventId: string }
  /** What belongs into a hole has come, and stands in its place. */
  | { type: "filled"; roomId: string; position: number; eventId: string; event: Uint8Array; senderVerified: boolean; intact: boolean }
  | { type: "invited"; user: string; roomId: string; sender: string }
  | { type: "inviteEnded"; user: string; roomId: string; sender: string }
  | { type: "toDevice"; user: string }
  | { type: "devicesChanged"; user: string; changed: string[]; removed: string[] }
  | { type: "keysClaimed"; user: string; device: string; algorithm: string; left: number }
  /** Typing, receipts and data that is not kept: an EDU `{edu_type, content}`. */
  | { type: "ephemeral"; roomId: string; edu: string }
  /** The hub refused an event of a local user. */
  | { type: "notSent"; roomId: string; lpduId: string; status: number; errcode: string; error: string };

/** What comes of an output that a machine's host carried out; `ticket` is that output's. */
type Outcome =
  /** Of `read`: for each query how many rows (four bytes, highest first), then each row's key and value behind their lengths. */
  | { type: "rows"; ticket: number; rows: Uint8Array }
  /** Of `commit`, once it is durable. */
  | { type: "committed"; ticket: number }
  /** Of `send`. */
  | { type: "sent"; ticket: number; response: HttpResponse }
  | { type: "notSent"; ticket: number; error: SendError }
  /** Of `sign`: 64 bytes a message. */
  | { type: "signed"; ticket: number; signatures: Uint8Array[] };

/** What a machine wants of the outside. */
type Wish =
  /** Apply as a whole, durably. Each write: 1 and table, key, value, or 0 and table, key; keys and values behind their length in four bytes. */
  | { type: "commit"; ticket: number; batch: Uint8Array }
  /** Read. Each query: table, 1 if reversed, 1 if it has an end, limit in four bytes, first key, end. */
  | { type: "read"; ticket: number; queries: Uint8Array }
  | { type: "send"; ticket: number; server: string; request: HttpRequest }
  | { type: "sign"; ticket: number; messages: Uint8Array[] }
  | { type: "notify"; notification: Notification };

/** What one machine takes. */
export type MachineInput =
  | Outcome
  /** Another machine asks, or its host by `encodeCall`. */
  | { type: "ask"; ticket: number; call: Uint8Array }
  /** To an output `ask`; `encodeUnavailable()` where none can be had. */
  | { type: "answer"; ticket: number; answer: Uint8Array }
  /** To an output `needKeys`: what each of the peers answered. */
  | { type: "keys"; ticket: number; answers: Uint8Array[] }
  /** The time of an output `wake` has come, or the host has just started. */
  | { type: "woken" };

/** What one machine wants done. */
export type MachineOutput =
  | Wish
  | { type: "ask"; ticket: number; to: Address; call: Uint8Array }
  /** Ask the peer machine of each server the call beside it, and hand the answers back together. */
  | { type: "needKeys"; ticket: number; needs: { server: string; call: Uint8Array }[] }
  | { type: "respond"; ticket: number; answer: Uint8Array }
  | { type: "wake"; at: number }
  /** The machine is no longer what its store holds: drop it, as after a failed commit. */
  | { type: "broken" };

/** What a whole server takes. */
export type ServerInput =
  | (Outcome & { machine: Address })
  | { type: "ask"; ticket: number; to: Address; call: Call }
  | { type: "request"; ticket: number; request: HttpRequest }
  /** A commit of this machine failed: it is opened anew from its store. */
  | { type: "commitFailed"; machine: Address }
  /** At the start, for each machine that has rows. */
  | { type: "resume"; machine: Address }
  | { type: "woken" };

/** What a whole server wants done. */
export type ServerOutput =
  | (Wish & { machine: Address })
  | { type: "respond"; ticket: number; answer: Answer }
  | { type: "wake"; at: number };

/** Where a request goes. */
export type Direction =
  /** `endpoint` names the row of the endpoint table, such as `send` or `make_join`. */
  | { type: "peer"; server: string; endpoint: string }
  | { type: "front"; endpoint: string }
  | { type: "answer"; response: HttpResponse };

/** What a peer has not been sent, or has not answered yet, as far as its machine knows. */
export interface Backlog {
  /** Rooms that owe it events. */
  rooms: number;
  /** Events at hand. */
  events: number;
  /** Messages to devices and the like. */
  edus: number;
}
