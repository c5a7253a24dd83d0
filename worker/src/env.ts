// What the worker is given: its objects, and who it is.
import type { Identity } from "hublet";
import { readOldKeys, readSigningKey } from "./keys.js";
import type { Metrics } from "./metrics.js";
import type { Account, Peer, Room } from "./objects.js";

export interface Env {
  ROOM: DurableObjectNamespace<Room>;
  PEER: DurableObjectNamespace<Peer>;
  ACCOUNT: DurableObjectNamespace<Account>;
  METRICS: DurableObjectNamespace<Metrics>;
  /** What may be stale: places and key documents of other servers. Without it they are looked up more often. */
  KV?: KVNamespace;
  /** The server's name. */
  HUBLET_NAME: string;
  /** Its signing key: `ed25519:ID SEED`. A secret. */
  HUBLET_SIGNING_KEY: string;
  /** Keys that signed before: `ed25519:ID PUBLIC EXPIRED`, one a line. */
  HUBLET_OLD_KEYS?: string;
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
    ...readSigningKey(env.HUBLET_SIGNING_KEY),
    oldKeys: readOldKeys(env.HUBLET_OLD_KEYS),
    ...(env.HUBLET_REACHED_AT && { reachedAt: env.HUBLET_REACHED_AT }),
  };
}
