// The server's key as a secret holds it: `ed25519:ID SEED`, the seed being 32 bytes in base64. Errors never repeat it.
import type { Identity } from "hublet";

const SEED_LENGTH = 32;

export function readSigningKey(text: string | undefined): Pick<Identity, "keyId" | "seed"> {
  const [keyId = "", encoded = "", ...more] = (text ?? "").trim().split(/\s+/);
  if (!keyId.startsWith("ed25519:") || more.length > 0) {
    throw new Error("HUBLET_SIGNING_KEY must be `ed25519:ID SEED`");
  }
  const seed = decode(encoded);
  if (seed?.length !== SEED_LENGTH) throw new Error("the seed in HUBLET_SIGNING_KEY must be 32 bytes in base64");
  return { keyId, seed };
}

/** Keys that signed before, one a line or behind commas: `ed25519:ID PUBLIC EXPIRED`, the last being the time in milliseconds since which it does not sign. */
export function readOldKeys(text: string | undefined): NonNullable<Identity["oldKeys"]> {
  const lines = (text ?? "").split(/[\n,]/).map((line) => line.trim());
  return lines.filter((line) => line !== "").map(readOldKey);
}

function readOldKey(line: string): NonNullable<Identity["oldKeys"]>[number] {
  const [keyId = "", key = "", expired = "", ...more] = line.split(/\s+/);
  const expiredAt = Number(expired);
  const isWhole = keyId.startsWith("ed25519:") && key !== "" && /^\d+$/.test(expired) && Number.isSafeInteger(expiredAt);
  if (!isWhole || more.length > 0) throw new Error("an entry of HUBLET_OLD_KEYS must be `ed25519:ID PUBLIC EXPIRED`");
  return { keyId, key, expiredAt };
}

function decode(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
