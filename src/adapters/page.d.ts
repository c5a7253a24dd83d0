/** Who writes: this tab's worker, or that of another tab, to which this one hands its calls. */
export type Role = "writer" | "proxy";

/**
 * Who keeps the private half of a server's key, and from whom. `platform`: the browser, which signs and gives the key to nobody; a script of this origin can have things signed for as
 * long as it runs here, and cannot take the key away. `sealed`: the database, sealed by the browser, so that a copy of its files is of no use elsewhere; a script of this origin can have it
 * unsealed, and the server can be exported. `memory`: nobody; the key ends with the tab.
 */
export type Keeper = "platform" | "sealed" | "memory";

/** What carries the requests between two servers; `none` where there was no way. */
export type LinkKind = "tabs" | "port" | "socket" | "http" | "rtc" | "none";

/** What the worker tells all pages of a server, beside answers. */
export type Notice =
  /** The core tells local users. */
  | { notice: "told"; notification: Notification }
  /** A server can be reached, or no longer; `at` in milliseconds. */
  | { notice: "peer"; server: string; link: LinkKind; connected: boolean; at: number }
  /** The links were cut, or put back. */
  | { notice: "online"; online: boolean }
  /** A request was answered, or not; `answer` is the body of the answer to a transaction. */
  | {
      notice: "traffic";
      direction: "out" | "in";
      server: string;
      link: LinkKind;
      method: string;
      target: string;
      bytes: number;
      status: number | SendError;
      ms: number;
      answer?: string;
      tampered: boolean;
    };

/** What the worker tells its own page: what came of the call of that number, 0 for the opening; without one, that another tab writes now, or this one. */
export interface Told {
  /** The call's number. */
  id?: number;
  /** The server is ready. */
  opened?: Opened;
  /** Who writes. */
  role?: Role;
  /** A machine's answer. */
  answer?: Answer;
  /** How the server stands. */
  info?: { key: Keeper; online: boolean; peers: { server: string; link: LinkKind }[] };
  /** Nothing more is to be told. */
  done?: boolean;
  /** A file. */
  bytes?: Uint8Array;
  /** The server at the other end of a link. */
  named?: string;
  /** What an event's hashes and signatures cover. */
  proof?: Proof;
  /** Why nothing came of it. */
  error?: { code: ErrorCode; message: string };
}

/** What is known once the server is ready. */
export interface Opened {
  /** Its name. */
  server: string;
  /** The user's ID. */
  user: string;
  /** Who writes. */
  role: Role;
}

/** What each hash and each signature of an event covers: bytes to show. */
export interface Proof {
  /** The event's ID. */
  eventId: string;
  /** Their SHA-256 is the event's ID. */
  referenceHash: Uint8Array;
  /** Of the content, as the hub completed the event. */
  contentHash: HashProof;
  /** Of what the participant's server sent, where the event was not the hub's own. */
  lpduHash?: HashProof;
  /** By the sender's server and by the hub, which may be one. */
  signatures: SignatureProof[];
}

/** A hash that stands in the event, and what it is made of. */
export interface HashProof {
  /** What was hashed. */
  covers: Uint8Array;
  /** As it stands in the event, in unpadded base64. */
  stated: string;
  /** As it comes out here. */
  computed: string;
}

/** A signature of the event. */
export interface SignatureProof {
  /** Who signed. */
  server: string;
  /** By which key, such as `ed25519:1`. */
  keyId: string;
  /** In unpadded base64. */
  signature: string;
  /** What was signed. */
  covers: Uint8Array;
  /** As whom. */
  as: "sender" | "hub" | "both";
  /** Checked here again; `key_missing` where the server's key is neither its name nor known, and cannot be had now. */
  valid: boolean | "key_missing";
}
