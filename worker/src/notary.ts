// Answers about other servers' keys, given again from KV for as long as the key document in them holds: anybody may ask, and each question would wake an object.
import type { HttpResponse } from "hublet";
import { log, reason } from "./log.js";

const ONE_SERVER = /^\/_matrix\/key\/v2\/query\/([^/?]+)(?:\?(.*))?$/;

/** A server may change its keys before its document ends, so no answer is given again for longer, in seconds. */
const LONGEST_LIFE = 3_600;
const SHORTEST_LIFE = 60;

/** Asks `ask` only where KV has no answer that still holds. An answer is signed by us, so it is kept under our key's ID. */
export async function notarised(
  kv: KVNamespace | undefined,
  keyId: string,
  target: string,
  ask: () => Promise<HttpResponse>,
): Promise<HttpResponse> {
  const [, encoded = "", query = ""] = ONE_SERVER.exec(target) ?? [];
  const server = decoded(encoded);
  if (kv === undefined || server === undefined) return ask();
  const minimum = Number(new URLSearchParams(query).get("minimum_valid_until_ts") ?? 0);
  const now = Date.now();
  const key = `notary:${keyId}:${server}`;
  let kept: string | null = null;
  try {
    kept = await kv.get(key);
    if (kept !== null && Number.isFinite(minimum) && (holdsUntil(kept) ?? 0) >= Math.max(minimum, now)) {
      return { status: 200, body: new TextEncoder().encode(kept) };
    }
  } catch (error) {
    log("warn", "kv failed", { way: "read", why: reason(error) });
  }
  const answer = await ask();
  if (answer.status === 200) {
    const text = new TextDecoder().decode(answer.body);
    const life = Math.min(Math.floor(((holdsUntil(text) ?? 0) - now) / 1_000), LONGEST_LIFE);
    if (life >= SHORTEST_LIFE && text !== kept) {
      await kv.put(key, text, { expirationTtl: life }).catch((error: unknown) => {
        log("warn", "kv failed", { way: "write", why: reason(error) });
      });
    }
  }
  return answer;
}

/** A name has one key in KV, however it is written in a path. What is no name is left to the machine. */
function decoded(encoded: string): string | undefined {
  try {
    const name = decodeURIComponent(encoded).toLowerCase();
    return /^[a-z0-9.:-]{1,255}$/.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

/** Until when the one key document of an answer holds; nothing where there is none. */
function holdsUntil(answer: string): number | undefined {
  const documents = (JSON.parse(answer) as { server_keys?: { valid_until_ts?: unknown }[] }).server_keys;
  const until = documents?.length === 1 ? documents[0]?.valid_until_ts : undefined;
  return typeof until === "number" ? until : undefined;
}
