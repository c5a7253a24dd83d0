export type Kind = "done" | "refused" | "failed";

export interface Notice {
  readonly number: number;
  readonly kind: Kind;
  readonly text: string;
}

/** How many stay visible; older ones make room. */
const SHOWN = 3;

/** What was done or refused is on the line as well, so its notice goes by itself; what failed stays until it is closed. */
const STAY = 10_000;

/** What a person is told beside the room: notices that stay until closed, and words for screen readers only. */
export class Notices {
  private count = 0;
  shown: readonly Notice[] = [];
  spoken = "";

  constructor(private readonly tell: () => void) {}

  add(kind: Kind, text: string): void {
    this.count += 1;
    this.shown = [...this.shown, { number: this.count, kind, text }].slice(-SHOWN);
    this.spoken = text;
    const { count } = this;
    if (kind !== "failed") setTimeout(() => this.close(count), STAY);
    this.tell();
  }

  say(text: string): void {
    this.spoken = text;
  }

  close(number: number): void {
    this.shown = this.shown.filter((notice) => notice.number !== number);
    this.tell();
  }
}
