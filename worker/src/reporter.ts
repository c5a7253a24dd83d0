// Brings what an isolate or an object has counted to the object that keeps it: soon, but not for each call.
import { Counts, type Report } from "./counts.js";
import { log, reason } from "./log.js";

/**
 * The least time between two reports. The first after a pause goes out at once, so that an object need not stay awake for it: what is awake is paid for. What an
 * object that is lost had counted since its last report is lost with it.
 */
const EVERY = 2_000;

/** A report that was planned is given up after this: the request that was to send it may have been cut off. */
const GIVEN_UP = 30_000;

/** Does something after so many milliseconds. */
export type Later = (milliseconds: number, then: () => Promise<void>) => void;

export class Reporter {
  readonly counts = new Counts();
  readonly #send: (report: Report) => Promise<void>;
  #last = 0;
  #planned: number | undefined;

  constructor(send: (report: Report) => Promise<void>) {
    this.#send = send;
  }

  /** Sees to it that what was counted is reported. */
  plan(later: Later): void {
    const now = Date.now();
    if (this.#planned !== undefined && now < this.#planned + GIVEN_UP) return;
    const wait = Math.max(0, Math.min(this.#last + EVERY - now, EVERY));
    this.#planned = now + wait;
    later(wait, () => this.#report());
  }

  async #report(): Promise<void> {
    this.#planned = undefined;
    this.#last = Date.now();
    const report = this.counts.take();
    if (report === undefined) return;
    try {
      await this.#send(report);
    } catch (error) {
      this.counts.putBack(report);
      log("warn", "counts not reported", { why: reason(error) });
    }
  }
}
