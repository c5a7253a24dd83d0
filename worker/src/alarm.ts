// The one alarm of a Durable Object. Each time that it is set costs a write, so an earlier one is left to ring: a machine woken early asks again.
import type { Address } from "hublet";
import { now, ringAt } from "./clock.js";
import { type Counts, kindOf } from "./counts.js";

/** How long what was under way may lie still when the object is lost in the middle of it. */
const WATCH = 60_000;

/** Where the object keeps its address: when an alarm rings, nobody says whose it is. */
const ADDRESS = "address";

export class Alarm {
  readonly #storage: DurableObjectStorage;
  readonly #counts: Counts;
  #at = Number.POSITIVE_INFINITY;

  constructor(storage: DurableObjectStorage, counts: Counts) {
    this.#storage = storage;
    this.#counts = counts;
  }

  /** For whom it rings. */
  get address(): Address | undefined {
    return this.#storage.kv.get<Address>(ADDRESS);
  }

  get isSet(): boolean {
    return this.#at < Number.POSITIVE_INFINITY;
  }

  /** Rings for that machine at that time or earlier. */
  set(address: Address, at: number): void {
    if (at >= this.#at) return;
    this.#at = at;
    this.#counts.add("hublet_alarms_set_total", { machine: kindOf(address) });
    if (this.address === undefined) this.#storage.kv.put(ADDRESS, address);
    // Should this fail, the platform restarts the object.
    void this.#storage.setAlarm(ringAt(at));
  }

  /** Rings before long, whatever becomes of this object until then. */
  watch(address: Address): void {
    this.set(address, now() + WATCH);
  }

  /** It has rung. */
  rang(): void {
    this.#at = Number.POSITIVE_INFINITY;
  }
}
