// The rows of one machine in the SQLite of its Durable Object: an SQL table for each table, keys in the order of their bytes.
import { tables } from "hublet";
import { makeTables, migrate } from "./schema.js";
import { encodeRows, Reader, type Row } from "./wire.js";

export class Store {
  readonly #storage: DurableObjectStorage;
  readonly #tables = tables();
  /** Tables are made with the first batch: whoever asks for a room that is not there leaves nothing behind. */
  #hasTables: boolean;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#hasTables = migrate(storage);
  }

  get isEmpty(): boolean {
    return !this.#hasTables;
  }

  /** Applies a batch as a whole; how many rows that wrote, as the platform counts them. It throws when that cannot be done, and then nothing is written. */
  apply(batch: Uint8Array): number {
    let written = 0;
    this.#storage.transactionSync(() => {
      if (!this.#hasTables) makeTables(this.#storage);
      const reader = new Reader(batch);
      while (!reader.isAtEnd) written += this.#write(reader);
    });
    this.#hasTables = true;
    return written;
  }

  /** The rows of each query, in the order of the queries. */
  read(queries: Uint8Array): Uint8Array {
    const reader = new Reader(queries);
    const answers: Row[][] = [];
    while (!reader.isAtEnd) answers.push(this.#query(reader));
    return encodeRows(answers);
  }

  #write(reader: Reader): number {
    const isPut = reader.u8() === 1;
    const name = this.#name(reader.u8());
    const key = reader.bytes();
    const { sql } = this.#storage;
    return isPut
      ? sql.exec(`INSERT OR REPLACE INTO "${name}" (key, value) VALUES (?, ?)`, key, reader.bytes()).rowsWritten
      : sql.exec(`DELETE FROM "${name}" WHERE key = ?`, key).rowsWritten;
  }

  #query(reader: Reader): Row[] {
    const name = this.#name(reader.u8());
    const order = reader.u8() === 1 ? "DESC" : "ASC";
    const hasEnd = reader.u8() === 1;
    const limit = reader.u32();
    const from = reader.bytes();
    const to = reader.bytes();
    if (!this.#hasTables) return [];
    const [end, bindings] = hasEnd ? ["AND key < ?", [from, to, limit]] : ["", [from, limit]];
    const sql = `SELECT key, value FROM "${name}" WHERE key >= ? ${end} ORDER BY key ${order} LIMIT ?`;
    return [...this.#storage.sql.exec(sql, ...bindings).raw<Row>()];
  }

  #name(number: number): string {
    const name = this.#tables[number];
    if (name === undefined) throw new RangeError(`there is no table ${number}`);
    return name;
  }
}
