// What the worker is given: its objects, and who it is.
import type { Identity } from "hublet";
import type { Account, Peer, Room } from "./objects.js";

export interface Env {
  ROOM: DurableObjectNamespace<Room>;
  PEER: DurableObjectNamespace<Peer>;
  ACCOUNT: DurableObjectNamespace<Account>;
  /** The server's name. */
  HUBLET_NAME: string;
  /** The ID of its signing key, such as `ed25519:1`. */
  HUBLET_KEY_ID: string;
  /** The private key, 32 bytes in base64. A secret. */
  HUBLET_SEED: string;
  /** What operators show as bearer token. A secret. */
  HUBLET_TOKEN: string;
  /** Set for servers on one machine: others are then reached at `localhost:PORT` without TLS, and nowhere else. */
  HUBLET_DEVELOPMENT?: string;
  /** `host:port` for `.well-known`, if the server is reached elsewhere than at its name. */
  HUBLET_REACHED_AT?: string;
}

export function identity(env: Env): Identity {
  return {
    name: env.HUBLET_NAME,
    keyId: env.HUBLET_KEY_ID,
    seed: Uint8Array.from(atob(env.HUBLET_SEED), (char) => char.charCodeAt(0)),
    ...(env.HUBLET_REACHED_AT && { reachedAt: env.HUBLET_REACHED_AT }),
  };
}
