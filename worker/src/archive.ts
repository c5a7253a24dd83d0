// A room's log out of its object and into one: JSON lines, one event each, oldest first. Both ways it goes page by page, however long it is.
import { type Answer, type Call, decodeAnswer, encodeCall } from "hublet";
import type { Address, HttpResponse } from "hublet";
import { type Env } from "./env.js";
import { federation } from "./front.js";
import { refuse, respond, responseOf, type TypedResponse } from "./http.js";
import { machineAt } from "./objects.js";

/** Entries that are read at a time. */
const ENTRIES = 200;

/** Bytes of lines that are handed on at a time. */
const PAGE = 256 * 1024;

/** Before everything that has a place in a log. */
const START = Number.MIN_SAFE_INTEGER;

const NEW_LINE = 10;

type Ask = (address: Address, call: Call) => Promise<Answer>;

/** Server to key ID to public key: what `verify_log` reads beside a log. */
type Keys = Record<string, Record<string, string>>;

/** The log, streamed. What is kept as a link or a hole has no line. */
export async function exportRoom(env: Env, room: string): Promise<TypedResponse> {
  const pages = pagesOf(asking(env), room);
  const first = await pages.next();
  if (first.done) return refuse(404, "M_NOT_FOUND", "no such room here");
  if (first.value.type === "broken") return responseOf(first.value.answer);
  let ready: Uint8Array | undefined = first.value.lines;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = ready === undefined ? await pages.next() : { done: false as const, value: { type: "lines" as const, lines: ready } };
      ready = undefined;
      if (next.done) return controller.close();
      // Whoever reads must not take a part for the whole.
      if (next.value.type === "broken") return controller.error(new Error("the room cannot be read at the moment"));
      controller.enqueue(next.value.lines);
    },
  });
  return { status: 200, body, contentType: "application/x-ndjson" };
}

/** The keys of the servers that signed events of the log, as far as they are known here or can be had from them. */
export async function exportKeys(env: Env, room: string): Promise<HttpResponse> {
  const ask = asking(env);
  const signers = new Map<string, Set<string>>();
  for await (const page of pagesOf(ask, room)) {
    if (page.type === "broken") return responseOf(page.answer);
    for (const line of new TextDecoder().decode(page.lines).split("\n").filter(Boolean)) gather(JSON.parse(line), signers);
  }
  if (signers.size === 0) return refuse(404, "M_NOT_FOUND", "no such room here");
  const keys: Keys = {};
  for (const [server, ids] of [...signers].sort(([one], [other]) => (one < other ? -1 : 1))) {
    keys[server] = server === env.HUBLET_NAME ? await ownKeys(env) : await keysOf(ask, server, [...ids]);
  }
  return { status: 200, body: new TextEncoder().encode(`${JSON.stringify(keys)}\n`) };
}

/** Restores a room from its log. It is there when the last line was taken, or not at all. */
export async function importRoom(env: Env, room: string, body: ReadableStream<Uint8Array> | null): Promise<HttpResponse> {
  const ask = asking(env);
  let from = 0;
  const hand = async (lines: Uint8Array, end: boolean): Promise<Answer> => {
    const answer = await ask(`room:${room}`, { type: "restore", from, lines, end });
    from += countLines(lines);
    return answer;
  };
  let kept = new Uint8Array();
  for await (const part of body ?? []) {
    kept = joined(kept, part);
    if (kept.length < PAGE) continue;
    // Without an end in so many bytes it is no event, and the machine says so.
    const end = kept.lastIndexOf(NEW_LINE) + 1 || kept.length;
    const answer = await hand(kept.slice(0, end), false);
    if (answer.type !== "done") return responseOf(answer);
    kept = kept.slice(end);
  }
  const answer = await hand(kept, true);
  if (answer.type !== "accepted") return responseOf(answer);
  const restored = { room_id: room, events: from, head: answer.eventId };
  return { status: 200, body: new TextEncoder().encode(JSON.stringify(restored)) };
}

type Page = { type: "lines"; lines: Uint8Array } | { type: "broken"; answer: Answer };

async function* pagesOf(ask: Ask, room: string): AsyncGenerator<Page, undefined> {
  for (let from = START; ; ) {
    const answer = await ask(`room:${room}`, { type: "timeline", from, limit: ENTRIES });
    if (answer.type !== "entries") {
      yield { type: "broken", answer };
      return;
    }
    const last = answer.entries.at(-1)?.position;
    if (last === undefined) return;
    yield { type: "lines", lines: linesOf(answer.entries.flatMap(({ event }) => event ?? [])) };
    from = last + 1;
  }
}

function linesOf(events: Uint8Array[]): Uint8Array {
  const lines = new Uint8Array(events.reduce((sum, { length }) => sum + length + 1, 0));
  let at = 0;
  for (const event of events) {
    lines.set(event, at);
    at += event.length;
    lines[at++] = NEW_LINE;
  }
  return lines;
}

function countLines(lines: Uint8Array): number {
  let count = 0;
  lines.forEach((byte, at) => {
    if (byte !== NEW_LINE && (at === 0 || lines[at - 1] === NEW_LINE)) count += 1;
  });
  return count;
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

function gather(event: { signatures: Record<string, Record<string, string>> }, signers: Map<string, Set<string>>): void {
  for (const [server, signatures] of Object.entries(event.signatures)) {
    const ids = signers.get(server) ?? new Set();
    Object.keys(signatures).forEach((id) => ids.add(id));
    signers.set(server, ids);
  }
}

async function keysOf(ask: Ask, server: string, keyIds: string[]): Promise<Record<string, string>> {
  const answer = await ask(`peer:${server}`, { type: "keys", server, keyIds });
  return answer.type === "keys" ? Object.fromEntries(answer.keys.map(({ id, key }) => [id, key])) : {};
}

interface KeyDocument {
  verify_keys: Record<string, { key: string }>;
  old_verify_keys?: Record<string, { key: string }>;
}

async function ownKeys(env: Env): Promise<Record<string, string>> {
  const { response } = await federation(new Request("https://ourselves/_matrix/key/v2/server"), env, () => undefined);
  const { verify_keys, old_verify_keys }: KeyDocument = await respond(response).json();
  return Object.fromEntries(Object.entries({ ...old_verify_keys, ...verify_keys }).map(([id, { key }]) => [id, key]));
}

function asking(env: Env): Ask {
  return async (address, call) => decodeAnswer(await machineAt(env, address).ask(address, encodeCall(call)));
}
