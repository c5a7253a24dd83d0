// A link over HTTP: frames go both ways in lists, each frame with its number, so that a list whose answer was lost is sent or asked for again and nothing comes
// twice. A session lives in memory alone; whoever asks for one that is gone begins anew.
import type { Frame } from "./frames.js";
import type { Way } from "./link.js";

/** How long a POST waits for frames of ours, in milliseconds. */
export const WAIT = 25_000;

/** How long a session lasts without an open POST, in milliseconds. */
export const PATIENCE = 10_000;

/** What may wait for the other end before more is refused, and how long a list of ours grows before the next begins, in characters. */
const MOST_WAITING = 32 * 1024 * 1024;
const LIST = 8 * 1024 * 1024;

export class Session implements Way {
  readonly id = crypto.randomUUID();
  readonly nonce = crypto.randomUUID();
  readonly server: string;
  provenAt = 0;
  isOpen = true;
  readonly #ended: (session: Session) => void;
  /** Our frames that the other end may not have, as JSON; the number of the first, and how long they are. */
  #frames: string[] = [];
  #first = 1;
  #length = 0;
  /** The number of the other end's last frame. */
  #heard = 0;
  /** The POST that waits for our next list. */
  #asking: ((list: string | undefined) => void) | undefined;
  #timer: number | null = null;
  /** POSTs whose bodies are still coming. */
  #reading = 0;

  /** Who makes one is told when it is over. */
  constructor(server: string, ended: (session: Session) => void) {
    this.server = server;
    this.#ended = ended;
    this.stay();
  }

  proved(at: number): void {
    this.provenAt = at;
  }

  post(frame: Frame): boolean {
    const text = JSON.stringify(frame);
    if (!this.isOpen || this.#length + text.length > MOST_WAITING) return false;
    this.#frames.push(text);
    this.#length += text.length;
    this.#answer();
    return true;
  }

  /** Forgets our frames up to that number. Whether we ever sent it. */
  confirm(number: number): boolean {
    const count = number + 1 - this.#first;
    if (count > this.#frames.length) return false;
    for (const frame of this.#frames.splice(0, Math.max(0, count))) this.#length -= frame.length;
    this.#first += Math.max(0, count);
    return true;
  }

  /** What is new of the other end's frames, of which the first has that number; nothing where some are missing before it. */
  take<T>(first: number, frames: T[]): T[] | undefined {
    const known = this.#heard + 1 - first;
    if (known < 0) return undefined;
    const news = frames.slice(known);
    this.#heard += news.length;
    return news;
  }

  /** Our next list as soon as there are frames: an empty one, when there are none in time or a later POST asks; nothing, when the session is over. */
  next(): Promise<string | undefined> {
    this.#answer();
    return new Promise((resolve) => {
      this.#asking = resolve;
      this.#in(WAIT, () => this.#answer());
      if (this.#frames.length > 0) this.#answer();
    });
  }

  /** Waits for the body of a POST: it is open for as long as that takes. */
  async read<T>(body: Promise<T>): Promise<T> {
    this.#reading++;
    this.stay();
    try {
      return await body;
    } finally {
      this.#reading--;
      this.stay();
    }
  }

  /** Somebody posts still: without an open POST the session ends in time. */
  stay(): void {
    if (!this.isOpen || this.#asking !== undefined) return;
    if (this.#reading > 0) clearTimeout(this.#timer);
    else this.#in(PATIENCE, () => this.end());
  }

  end(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    clearTimeout(this.#timer);
    this.#frames = [];
    this.#asking?.(undefined);
    this.#asking = undefined;
    this.#ended(this);
  }

  #answer(): void {
    const asking = this.#asking;
    if (asking === undefined) return;
    this.#asking = undefined;
    this.stay();
    asking(this.#list());
  }

  /** Our frames from the first that the other end may not have, as many as a list holds, and one at least. */
  #list(): string {
    let length = 0;
    const end = this.#frames.findIndex((frame) => (length += frame.length) > LIST);
    const frames = end === -1 ? this.#frames : this.#frames.slice(0, Math.max(1, end));
    return `{"first":${this.#first},"frames":[${frames.join(",")}]}`;
  }

  #in(milliseconds: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, milliseconds);
  }
}
