// The rows of one machine in the SQLite of its Durable Object: an SQL table for each table, keys in the order of their bytes.
import { tables } from "hublet";
import { encodeRows, Reader, type Row } from "./wire.js";

export class Store {
  readonly #storage: DurableObjectStorage;
  readonly #tables = tables();
  /** Tables are made with the first batch: whoever asks for a room that is not there leaves nothing behind. */
  #hasTables: boolean;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    const found = storage.sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", this.#name(0));
    this.#hasTables = found.toArray().length > 0;
  }

  get isEmpty(): boolean {
    return !this.#hasTables;
  }

  /** Applies a batch as a whole. It throws when that cannot be done, and then nothing is written. */
  apply(batch: Uint8Array): void {
    this.#storage.transactionSync(() => {
      if (!this.#hasTables) this.#makeTables();
      const reader = new Reader(batch);
      while (!reader.isAtEnd) this.#write(reader);
    });
    this.#hasTables = true;
  }

  /** The rows of each query, in the order of the queries. */
  read(queries: Uint8Array): Uint8Array {
    const reader = new Reader(queries);
    const answers: Row[][] = [];
    while (!reader.isAtEnd) answers.push(this.#query(reader));
    return encodeRows(answers);
  }

  #makeTables(): void {
    for (const name of this.#tables) {
      this.#storage.sql.exec(
        `CREATE TABLE IF NOT EXISTS "${name}" (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID`,
      );
    }
  }

  #write(reader: Reader): void {
    const isPut = reader.u8() === 1;
    const name = this.#name(reader.u8());
    const key = reader.bytes();
    if (isPut) {
      this.#storage.sql.exec(`INSERT OR REPLACE INTO "${name}" (key, value) VALUES (?, ?)`, key, reader.bytes());
    } else {
      this.#storage.sql.exec(`DELETE FROM "${name}" WHERE key = ?`, key);
    }
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
