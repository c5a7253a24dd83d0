// What strangers may cost. Whoever proves to be a server is limited by its own object, and pays nothing here; nor does a server that did so lately, whoever
// forges its name from the same address: servers at the edge share addresses. Each isolate counts for itself, so this is a fence against floods, no exact bound.

/** Requests that an address may have refused or answered without proof at once, and earns back a second. */
const MOST = 300;
const EARNED = 10;

/** Addresses and servers that are remembered; the oldest go first. */
const MOST_REMEMBERED = 10_000;

interface Allowance {
  left: number;
  at: number;
}

export class Flood {
  readonly #addresses = new Map<string, Allowance>();
  readonly #proven = new Set<string>();

  /** How many milliseconds a request has to wait for; 0 if it need not. */
  wait(address: string, server: string | undefined, now: number): number {
    if (server !== undefined && this.#proven.has(server)) return 0;
    const { left } = this.#allowance(address, now);
    return left >= 1 ? 0 : Math.ceil(((1 - left) * 1_000) / EARNED);
  }

  /** A request from that address proved nothing. */
  charge(address: string, now: number): void {
    const { left } = this.#allowance(address, now);
    this.#addresses.delete(address);
    this.#addresses.set(address, { left: Math.max(0, left - 1), at: now });
    forgetOldest(this.#addresses);
  }

  /** A request proved to be of that server. */
  proved(server: string): void {
    this.#proven.delete(server);
    this.#proven.add(server);
    forgetOldest(this.#proven);
  }

  #allowance(address: string, now: number): Allowance {
    const known = this.#addresses.get(address);
    if (known === undefined) return { left: MOST, at: now };
    // A clock that is set back earns nothing.
    const earned = (Math.max(0, now - known.at) * EARNED) / 1_000;
    return { left: Math.min(MOST, known.left + earned), at: now };
  }
}

function forgetOldest(remembered: Map<string, unknown> | Set<string>): void {
  if (remembered.size <= MOST_REMEMBERED) return;
  for (const oldest of remembered.keys()) {
    remembered.delete(oldest);
    return;
  }
}
