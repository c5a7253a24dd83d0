// Links to a server that has no address, such as a tab: it opens a way to us, proves its name over it, and requests go both ways, each a frame. The object of that peer
// holds the ways. It sleeps while nothing crosses a socket, so what has to outlast that is in the socket's attachment; a session over HTTP is in memory alone.
import { isProven } from "hublet";
import type { HttpRequest, HttpResponse, SendError } from "hublet";
import { readBytes } from "./body.js";
import { type Frame, isFrame, MAX_FRAMES, read, requestOf } from "./frames.js";
import { refuse, tooLarge } from "./http.js";
import { Session } from "./session.js";
import { Socket } from "./socket.js";

/** Where links are opened: `?server=` names the server that opens one. */
export const LINK = "/_hublet/link";

/** How long a server may take to answer, in milliseconds. */
const TIME = 30_000;

/** Sockets of one peer that have proved nothing, and its sessions; beyond that the oldest that has proved nothing goes. */
const MOST_WAYS = 64;

/** One way to the peer, whatever carries its frames. */
export interface Way {
  /** The name that is claimed. */
  readonly server: string;
  /** What is to be signed. */
  readonly nonce: string;
  /** When the name was proved, in milliseconds; 0 until then. */
  readonly provenAt: number;
  /** Whether frames can still go out. */
  readonly isOpen: boolean;
  proved(at: number): void;
  /** Whether the frame is on its way. */
  post(frame: Frame): boolean;
}

/** What a link needs of the object that has it. */
export interface Peer {
  /** Serves a request that says it comes from the peer. */
  serve(request: HttpRequest): Promise<HttpResponse>;
  /** The peer can be reached now. */
  reached(): void;
}

/** The ways to one peer; of several, the newest that proved its name counts. */
export class Link {
  readonly #us: string;
  readonly #context: DurableObjectState;
  /** By their IDs, oldest first. */
  readonly #sessions = new Map<string, Session>();
  /** The one that proved its name last: whoever begins anew has lost those before. */
  #session: Session | undefined;
  readonly #waiting = new Map<string, { way: Way; settle(result: HttpResponse | SendError): void }>();
  readonly #life = crypto.randomUUID();
  #sent = 0;

  constructor(us: string, context: DurableObjectState) {
    this.#us = us;
    this.#context = context;
  }

  /** Accepts a socket, and asks who is there. */
  accept(server: string): Response {
    const unproven = this.#sockets().filter(({ isOpen, provenAt }) => isOpen && provenAt === 0);
    if (unproven.length >= MOST_WAYS) unproven.reduce((oldest, socket) => (socket.begunAt < oldest.begunAt ? socket : oldest)).end();
    const { 0: theirs, 1: ours } = new WebSocketPair();
    this.#context.acceptWebSocket(ours);
    this.#challenge(Socket.begin(ours, server));
    return new Response(null, { status: 101, webSocket: theirs });
  }

  /** Sends a request to the peer; nothing where there is no way to it. */
  send(server: string, request: HttpRequest): Promise<HttpResponse | SendError> | undefined {
    const way = this.#newest();
    if (way === undefined) return undefined;
    const id = `${this.#life} ${++this.#sent}`;
    const { method, target, headers } = request;
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle("timed_out"), TIME);
      const settle = (result: HttpResponse | SendError) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(result);
      };
      this.#waiting.set(id, { way, settle });
      const body = new TextDecoder().decode(request.body);
      if (!way.post({ kind: "request", id, to: server, from: this.#us, method, target, headers, body })) settle("unreachable");
    });
  }

  /** Deals with what came over a socket. */
  async heard(socket: WebSocket, text: string | ArrayBuffer, peer: Peer): Promise<void> {
    const frame = typeof text === "string" && text.length <= MAX_FRAMES ? read(text) : undefined;
    if (isFrame(frame)) await this.#came(new Socket(socket), frame, peer);
  }

  /** Answers a POST: of a new session without `?session=`, else of that one. A list with frames is answered when they are taken, one without when there are frames of ours. */
  async posted(request: Request, server: string, peer: Peer): Promise<HttpResponse> {
    const id = sessionOf(request);
    if (id === undefined) return this.#begin(server);
    const session = this.#sessions.get(id);
    if (session === undefined) return gone();
    const body = await session.read(readBytes(request.body, MAX_FRAMES));
    if (body === undefined) return tooLarge(MAX_FRAMES);
    const list = listOf(body);
    if (list === undefined) return refuse(400, "M_BAD_JSON", "the body is no list: {heard, first, frames}");
    if (!session.isOpen) return gone();
    const frames = session.confirm(list.heard) ? session.take(list.first, list.frames) : undefined;
    if (frames === undefined) {
      session.end();
      return refuse(409, "M_BAD_STATE", "frames are missing before `first`, or `heard` was never sent; begin a new session");
    }
    for (const frame of frames) {
      if (!isFrame(frame)) continue;
      if (session.provenAt === 0 && (frame.kind === "request" || frame.kind === "response")) break;
      void this.#came(session, frame, peer);
    }
    if (session.provenAt === 0) {
      session.end();
      return refuse(401, "M_FORBIDDEN", "the first list of a session holds the proof of the name that it claims, and nothing that needs it before that");
    }
    if (list.frames.length > 0) return ok("{}");
    const ours = await session.next();
    return ours === undefined ? gone() : ok(ours);
  }

  /** A way is gone: what waits for an answer over it is not to be had. */
  closed(): void {
    for (const { way, settle } of [...this.#waiting.values()]) if (!way.isOpen) settle("unreachable");
  }

  /** A new session, and the challenge as the first of our frames. */
  async #begin(server: string): Promise<HttpResponse> {
    const sessions = [...this.#sessions.values()];
    if (sessions.length >= MOST_WAYS) sessions.find(({ provenAt }) => provenAt === 0)?.end();
    const session = new Session(server, ({ id }) => {
      this.#sessions.delete(id);
      this.closed();
    });
    this.#sessions.set(session.id, session);
    this.#challenge(session);
    const list = (await session.next()) ?? "{}";
    return ok(`{"session":"${session.id}",${list.slice(1)}`);
  }

  #challenge(way: Way): void {
    way.post({ kind: "challenge", from: this.#us, nonce: way.nonce });
  }

  async #came(way: Way, frame: Frame, peer: Peer): Promise<void> {
    const { server, nonce, provenAt } = way;
    switch (frame.kind) {
      case "proof":
        if (typeof frame.header !== "string" || !isProven(this.#us, server, nonce, frame.header)) return;
        way.proved(Date.now());
        if (way instanceof Session) await this.#takeOver(way);
        return peer.reached();
      case "request": {
        if (provenAt === 0 || frame.to !== this.#us) return;
        const request = requestOf(frame);
        if (request === undefined) return;
        const { id } = frame;
        way.post({ kind: "taken", id, to: server });
        try {
          answer(way, id, await peer.serve(request));
        } catch (error) {
          // What is no request gets no answer.
          console.warn(`${server} sent over its link what cannot be served:`, String(error));
        }
        return;
      }
      case "response":
        if (provenAt === 0 || typeof frame.status !== "number" || typeof frame.body !== "string") return;
        return this.#waiting.get(frame.id)?.settle({ status: frame.status, body: new TextEncoder().encode(frame.body) });
      case "gone":
        if (way instanceof Session) way.end();
    }
  }

  /** Sessions before are over, and what waits for an answer there is sent again. The machine hears so before it is told that the peer can be reached. */
  async #takeOver(session: Session): Promise<void> {
    this.#session = session;
    for (const other of [...this.#sessions.values()]) if (other !== session && other.provenAt > 0) other.end();
    await scheduler.wait(0);
  }

  /** The open way whose other end has proved its name last. */
  #newest(): Way | undefined {
    let newest: Way | undefined = this.#session?.isOpen ? this.#session : undefined;
    for (const way of this.#sockets()) if (way.isOpen && way.provenAt > (newest?.provenAt ?? 0)) newest = way;
    return newest;
  }

  #sockets(): Socket[] {
    return this.#context.getWebSockets().map((socket) => new Socket(socket));
  }
}

/** Answers the request of that ID; where there is no room for the answer, says at least that. */
export function answer(way: Way, id: string, response: HttpResponse): void {
  const post = ({ status, body }: HttpResponse) => way.post({ kind: "response", id, to: way.server, status, body: new TextDecoder().decode(body) });
  if (!post(response)) post(refuse(413, "M_TOO_LARGE", "the answer is too large for what waits already; fetch that, and ask again"));
}

/** The server that a request for a link says it comes from. */
export function linkedServer({ url }: Request): string | undefined {
  return new URL(url).searchParams.get("server") ?? undefined;
}

/** The session of a POST that does not begin one. */
export function sessionOf({ method, url }: Request): string | undefined {
  return method === "POST" ? (new URL(url).searchParams.get("session") ?? undefined) : undefined;
}

/** Whether a name is a key: only such a server can prove its name over a link. */
export function isKeyName(server: string): boolean {
  return /^[a-z2-7]{52}\.key\.invalid$/.test(server);
}

/** Frames over HTTP: the first has a number, and the last of the other side's that came has one. */
interface List {
  heard: number;
  first: number;
  frames: unknown[];
}

function listOf(body: Uint8Array): List | undefined {
  const list = read(new TextDecoder().decode(body)) as Partial<List> | null | undefined;
  const { heard, first, frames } = list ?? {};
  const areNumbers = Number.isSafeInteger(heard) && Number.isSafeInteger(first) && Number(heard) >= 0 && Number(first) >= 1;
  return areNumbers && Array.isArray(frames) ? ({ heard, first, frames } as List) : undefined;
}

function gone(): HttpResponse {
  return refuse(410, "M_NOT_FOUND", "there is no such session, or it is over; begin a new one");
}

function ok(body: string): HttpResponse {
  return { status: 200, body: new TextEncoder().encode(body) };
}
