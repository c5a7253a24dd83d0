// The store wire form, as `src/store/wire.rs` writes it: numbers big-endian, bytes behind their length.

/** Reads bytes that the module wrote, from their start. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  u8(): number {
    const value = this.#view.getUint8(this.#at);
    this.#at += 1;
    return value;
  }

  u32(): number {
    const value = this.#view.getUint32(this.#at);
    this.#at += 4;
    return value;
  }

  bytes(): Uint8Array {
    const length = this.u32();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("the bytes end too early");
    const value = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return value;
  }
}

export type Row = [key: ArrayBuffer, value: ArrayBuffer];

/** The rows of each query, in the order of the queries: how many, then key and value of each. */
export function encodeRows(answers: Row[][]): Uint8Array {
  const fields = answers.flat(2);
  const length = answers.length * 4 + fields.reduce((sum, field) => sum + 4 + field.byteLength, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const rows of answers) {
    view.setUint32(at, rows.length);
    at += 4;
    for (const field of rows.flat()) {
      view.setUint32(at, field.byteLength);
      bytes.set(new Uint8Array(field), at + 4);
      at += 4 + field.byteLength;
    }
  }
  return bytes;
}
