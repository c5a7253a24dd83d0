/**
 * Which parts of an event's canonical JSON a hash or a signature covers. What is covered is itself canonical JSON: the event without some of its fields. So a value is covered
 * exactly when the covered document has the same value at the same path.
 */

export interface Piece {
  readonly text: string;
  readonly kind: "key" | "string" | "number" | "word" | "mark";
  readonly covered: boolean;
}

/** A field of the event, with everything below it. */
export type Field = readonly Piece[];

/** The fields of an object in the order of its bytes. Put together, their texts are the bytes again. */
export function fields(bytes: Uint8Array, covers: Uint8Array | undefined): Field[] {
  const part: unknown = covers ? JSON.parse(decode(covers)) : MISSING;
  return new Reader(decode(bytes)).top(part);
}

const MISSING = Symbol("not covered");
const STRING = /"(?:[^"\\]|\\.)*"/y;
const LITERAL = /[^,\]}]+/y;

/** Walks through canonical JSON, which has no white space, with the covered document beside it. */
class Reader {
  private at = 0;
  private pieces: Piece[] = [];

  constructor(private readonly text: string) {}

  top(part: unknown): Field[] {
    const found: Field[] = [];
    this.mark(part !== MISSING);
    while (this.at < this.text.length) {
      const covered = this.member(part);
      this.mark(covered);
      found.push(this.pieces);
      this.pieces = [];
    }
    return found;
  }

  /** A key and its value, up to what follows them. */
  private member(part: unknown): boolean {
    const from = this.at;
    const key: string = JSON.parse(this.take(STRING));
    const value = isObject(part) && Object.hasOwn(part, key) ? part[key] : MISSING;
    const covered = value !== MISSING;
    this.put(from, "key", covered);
    this.mark(covered);
    this.value(value);
    return covered;
  }

  private value(part: unknown): void {
    const first = this.text[this.at];
    if (first === "{") this.object(part);
    else if (first === "[") this.array(part);
    else this.leaf(part);
  }

  private object(part: unknown): void {
    const covered = isObject(part);
    this.mark(covered);
    while (this.at < this.text.length && this.text[this.at] !== "}") {
      const inner = this.member(part);
      if (this.text[this.at] === ",") this.mark(inner);
    }
    this.mark(covered);
  }

  /** An array is covered whole, item by item at the same places. */
  private array(part: unknown): void {
    const items: readonly unknown[] = Array.isArray(part) ? part : [];
    const covered = Array.isArray(part);
    this.mark(covered);
    for (let index = 0; this.at < this.text.length && this.text[this.at] !== "]"; index += 1) {
      this.value(index < items.length ? items[index] : MISSING);
      if (this.text[this.at] === ",") this.mark(covered);
    }
    this.mark(covered);
  }

  private leaf(part: unknown): void {
    const from = this.at;
    const string = this.text[from] === '"';
    const raw = this.take(string ? STRING : LITERAL);
    const kind = string ? "string" : /^[-\d]/.test(raw) ? "number" : "word";
    this.put(from, kind, part !== MISSING && JSON.parse(raw) === part);
  }

  private mark(covered: boolean): void {
    this.at += 1;
    this.put(this.at - 1, "mark", covered);
  }

  private put(from: number, kind: Piece["kind"], covered: boolean): void {
    this.pieces.push({ text: this.text.slice(from, this.at), kind, covered });
  }

  private take(form: RegExp): string {
    form.lastIndex = this.at;
    const raw = form.exec(this.text)?.[0] ?? "";
    // What does not have this form cannot come from a server that checks; the rest is then shown as one piece.
    this.at = raw === "" ? this.text.length : this.at + raw.length;
    return raw === "" ? "null" : raw;
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
