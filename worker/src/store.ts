// The rows of one machine in the SQLite of its Durable Object: an SQL table for each table, keys in the order of their bytes.
import { tables } from "hublet";
import { makeTables, migrate } from "./schema.js";
import { encodeRows, Reader, type Row } from "./wire.js";

/** Rows of one statement, at most: the platform takes 100 parameters. Of few sizes, so that statements are prepared once. */
const SIZES = [50, 16, 4, 1];

type Fields = [key: Uint8Array, value: Uint8Array];

/** A query for one row, and its place among the others. */
interface Single {
  at: number;
  key: Uint8Array;
}

interface Query {
  table: number;
  isDescending: boolean;
  limit: number;
  from: Uint8Array;
  /** The first key behind; nothing where there is no end. */
  to: Uint8Array | undefined;
}

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
      const puts = new Map<string, Fields[]>();
      for (const reader = new Reader(batch); !reader.isAtEnd; ) {
        const isPut = reader.u8() === 1;
        const name = this.#name(reader.u8());
        const key = reader.bytes();
        // Tables know nothing of each other; within one, what is put before a row is removed must be there before.
        if (isPut) listOf(puts, name).push([key, reader.bytes()]);
        else written += this.#put(name, puts) + this.#storage.sql.exec(`DELETE FROM "${name}" WHERE key = ?`, key).rowsWritten;
      }
      for (const name of [...puts.keys()]) written += this.#put(name, puts);
    });
    this.#hasTables = true;
    return written;
  }

  /** The rows of each query, in the order of the queries. */
  read(queries: Uint8Array): Uint8Array {
    const reader = new Reader(queries);
    const answers: Row[][] = [];
    const singles = new Map<string, Single[]>();
    for (let at = 0; !reader.isAtEnd; at++) {
      const query = readQuery(reader);
      const name = this.#name(query.table);
      if (isSingle(query)) listOf(singles, name).push({ at, key: query.from });
      answers.push(isSingle(query) || !this.#hasTables ? [] : this.#range(name, query));
    }
    if (this.#hasTables) for (const [name, some] of singles) this.#find(name, some, answers);
    return encodeRows(answers);
  }

  /** Writes what is to be put into a table, and forgets it. */
  #put(name: string, puts: Map<string, Fields[]>): number {
    let written = 0;
    for (const some of chunks(puts.get(name) ?? [])) {
      const values = some.map(() => "(?, ?)").join(", ");
      written += this.#storage.sql.exec(`INSERT OR REPLACE INTO "${name}" (key, value) VALUES ${values}`, ...some.flat()).rowsWritten;
    }
    puts.delete(name);
    return written;
  }

  #range(name: string, { isDescending, limit, from, to }: Query): Row[] {
    const [end, bindings] = to === undefined ? ["", [from, limit]] : ["AND key < ?", [from, to, limit]];
    const sql = `SELECT key, value FROM "${name}" WHERE key >= ? ${end} ORDER BY key ${isDescending ? "DESC" : "ASC"} LIMIT ?`;
    return [...this.#storage.sql.exec(sql, ...bindings).raw<Row>()];
  }

  /** Puts the rows that are there in the places of those who asked for them. */
  #find(name: string, singles: Single[], answers: Row[][]): void {
    for (const some of chunks(singles)) {
      const sql = `SELECT key, value FROM "${name}" WHERE key IN (${some.map(() => "?").join(", ")})`;
      const rows = [...this.#storage.sql.exec(sql, ...some.map(({ key }) => key)).raw<Row>()];
      if (rows.length === 0) continue;
      const found = new Map(rows.map((row) => [textOf(new Uint8Array(row[0])), row]));
      for (const { at, key } of some) {
        const row = found.get(textOf(key));
        if (row !== undefined) answers[at] = [row];
      }
    }
  }

  #name(number: number): string {
    const name = this.#tables[number];
    if (name === undefined) throw new RangeError(`there is no table ${number}`);
    return name;
  }
}

function readQuery(reader: Reader): Query {
  const table = reader.u8();
  const isDescending = reader.u8() === 1;
  const hasEnd = reader.u8() === 1;
  const limit = reader.u32();
  const from = reader.bytes();
  const to = reader.bytes();
  return { table, isDescending, limit, from, to: hasEnd ? to : undefined };
}

/** Whether no key but `from` lies before `to`: the next one is that with a zero behind. */
function isSingle({ limit, from, to }: Query): boolean {
  return limit > 0 && to?.length === from.length + 1 && to.at(-1) === 0 && from.every((byte, at) => byte === to[at]);
}

function* chunks<T>(items: readonly T[]): Generator<T[]> {
  for (let at = 0; at < items.length; ) {
    const size = SIZES.find((size) => size <= items.length - at) ?? 1;
    yield items.slice(at, at + size);
    at += size;
  }
}

function listOf<T>(lists: Map<string, T[]>, name: string): T[] {
  const list = lists.get(name) ?? [];
  lists.set(name, list);
  return list;
}

/** A key as text, a character a byte. */
function textOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}
