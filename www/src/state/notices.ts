export type Kind = "done" | "refused" | "failed";

export interface Notice {
  readonly number: number;
  readonly kind: Kind;
  readonly text: string;
}

/** How many stay visible; older ones make room. */
const SHOWN = 3;

/** What a person is told beside the room: notices that stay until closed, and words for screen readers only. */
export class Notices {
  private count = 0;
  shown: readonly Notice[] = [];
  spoken = "";

  add(kind: Kind, text: string): void {
    this.count += 1;
    this.shown = [...this.shown, { number: this.count, kind, text }].slice(-SHOWN);
    this.spoken = text;
  }

  say(text: string): void {
    this.spoken = text;
  }

  close(number: number): void {
    this.shown = this.shown.filter((notice) => notice.number !== number);
  }
}
