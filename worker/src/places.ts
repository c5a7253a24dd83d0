// Places of other servers in KV, where every object finds what one has looked up: also those that keep nothing of their own, because only strangers named them.
import { now } from "./clock.js";
import { log, reason } from "./log.js";
import type { Place } from "./resolve.js";

/** The shortest life that KV gives a value, in seconds. */
const SHORTEST_LIFE = 60;

export class Places {
  readonly #kv: KVNamespace | undefined;

  constructor(kv: KVNamespace | undefined) {
    this.#kv = kv;
  }

  /** The place that is believed now, if there is one. */
  async find(server: string): Promise<Place | undefined> {
    const found = await this.#try("read", (kv) => kv.get<Place>(keyOf(server), "json"));
    const isPlace = typeof found?.base === "string" && typeof found.until === "number";
    return isPlace && now() < found.until ? found : undefined;
  }

  /** Keeps a place for as long as it is believed. */
  async keep(server: string, place: Place): Promise<void> {
    const life = Math.floor((place.until - now()) / 1_000);
    if (life < SHORTEST_LIFE) return;
    await this.#try("write", (kv) => kv.put(keyOf(server), JSON.stringify(place), { expirationTtl: life }));
  }

  /** KV is a convenience: without it servers are looked up again. */
  async #try<T>(way: string, use: (kv: KVNamespace) => Promise<T>): Promise<T | undefined> {
    try {
      return this.#kv && (await use(this.#kv));
    } catch (error) {
      log("warn", "kv failed", { way, why: reason(error) });
      return undefined;
    }
  }
}

function keyOf(server: string): string {
  return `place:${server.toLowerCase()}`;
}
