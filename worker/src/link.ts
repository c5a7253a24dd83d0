// Servers behind a socket, such as tabs, which cannot be reached at an address: requests go both ways over it, each a frame of JSON. The object of that peer holds the
// socket, and sleeps while nothing crosses it: what has to outlast that is in the socket's attachment.
import { isProven } from "hublet";
import type { HttpRequest, HttpResponse, SendError } from "hublet";

/** Where sockets are opened: `?server=` names the server that opens one. */
export const LINK = "/_hublet/link";

/** How long a server may take to answer, in milliseconds. */
const TIME = 30_000;

/** The longest frame: a transaction and what is around it. */
const MAX_FRAME = 8 * 1024 * 1024;

type Frame =
  | { kind: "request"; id: string; to: string; from: string; method: string; target: string; headers: [string, string][]; body: string }
  | { kind: "taken"; id: string; to: string }
  | { kind: "response"; id: string; to: string; status: number; body: string }
  | { kind: "challenge"; from: string; nonce: string }
  | { kind: "proof"; header: string };

interface Attachment {
  server: string;
  nonce: string;
  isProven: boolean;
}

/** What a link needs of the object that has it. */
export interface Peer {
  /** Serves a request that says it comes from the peer. */
  serve(request: HttpRequest): Promise<HttpResponse>;
  /** The peer can be reached now. */
  reached(): void;
}

/** The sockets of one peer; of several, the newest that proved its name counts. */
export class Link {
  readonly #us: string;
  readonly #context: DurableObjectState;
  readonly #waiting = new Map<string, (result: HttpResponse | SendError) => void>();
  readonly #life = crypto.randomUUID();
  #sent = 0;

  constructor(us: string, context: DurableObjectState) {
    this.#us = us;
    this.#context = context;
  }

  /** Accepts a socket, and asks who is there. */
  accept(server: string): Response {
    const { 0: theirs, 1: ours } = new WebSocketPair();
    this.#context.acceptWebSocket(ours);
    const nonce = crypto.randomUUID();
    ours.serializeAttachment({ server, nonce, isProven: false } satisfies Attachment);
    post(ours, { kind: "challenge", from: this.#us, nonce });
    return new Response(null, { status: 101, webSocket: theirs });
  }

  /** Sends a request to the peer; nothing where no socket of it is open. */
  send(server: string, request: HttpRequest): Promise<HttpResponse | SendError> | undefined {
    const socket = this.#open().at(-1);
    if (socket === undefined) return undefined;
    const id = `${this.#life} ${++this.#sent}`;
    const { method, target, headers } = request;
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle("timed_out"), TIME);
      const settle = (result: HttpResponse | SendError) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(result);
      };
      this.#waiting.set(id, settle);
      const body = new TextDecoder().decode(request.body);
      if (!post(socket, { kind: "request", id, to: server, from: this.#us, method, target, headers, body })) settle("unreachable");
    });
  }

  /** Deals with what came over a socket. What is no frame is dropped. */
  async came(socket: WebSocket, text: string | ArrayBuffer, peer: Peer): Promise<void> {
    const attachment = attached(socket);
    const frame = typeof text === "string" && text.length <= MAX_FRAME ? read(text) : undefined;
    if (attachment === undefined || frame === undefined) return;
    const { server, nonce } = attachment;
    switch (frame.kind) {
      case "proof":
        if (typeof frame.header !== "string" || !isProven(this.#us, server, nonce, frame.header)) return;
        socket.serializeAttachment({ ...attachment, isProven: true });
        return peer.reached();
      case "request": {
        if (!attachment.isProven || frame.to !== this.#us) return;
        const request = requestOf(frame);
        if (request === undefined) return;
        const { id } = frame;
        post(socket, { kind: "taken", id, to: server });
        try {
          const { status, body } = await peer.serve(request);
          post(socket, { kind: "response", id, to: server, status, body: new TextDecoder().decode(body) });
        } catch (error) {
          // What is no request gets no answer.
          console.warn(`${server} sent over its socket what cannot be served:`, String(error));
        }
        return;
      }
      case "response":
        if (!attachment.isProven || typeof frame.status !== "number" || typeof frame.body !== "string") return;
        return this.#waiting.get(frame.id)?.({ status: frame.status, body: new TextEncoder().encode(frame.body) });
    }
  }

  /** The sockets whose other end has proved its name, oldest first. */
  #open(): WebSocket[] {
    return this.#context.getWebSockets().filter((socket) => attached(socket)?.isProven && socket.readyState === WebSocket.OPEN);
  }

  /** A socket is gone: what waits for it is not to be had. */
  closed(): void {
    if (this.#open().length === 0) for (const settle of [...this.#waiting.values()]) settle("unreachable");
  }
}

/** The server that a request for a socket says it comes from. */
export function linkedServer(url: string): string | undefined {
  const { pathname, searchParams } = new URL(url);
  return pathname === LINK ? (searchParams.get("server") ?? undefined) : undefined;
}

/** Whether a name is a key: only such a server can prove its name over a link. */
export function isKeyName(server: string): boolean {
  return /^[a-z2-7]{52}\.key\.invalid$/.test(server);
}

function attached(socket: WebSocket): Attachment | undefined {
  return (socket.deserializeAttachment() as Attachment | null) ?? undefined;
}

function post(socket: WebSocket, frame: Frame): boolean {
  try {
    socket.send(JSON.stringify(frame));
    return true;
  } catch {
    return false;
  }
}

function read(text: string): Frame | undefined {
  try {
    const frame = JSON.parse(text);
    return typeof frame === "object" && frame !== null && typeof frame.kind === "string" ? frame : undefined;
  } catch {
    return undefined;
  }
}

/** The request of a frame, if it is one. */
function requestOf({ id, method, target, headers, body }: Extract<Frame, { kind: "request" }>): HttpRequest | undefined {
  const texts = [id, method, target, body];
  const areHeaders = Array.isArray(headers) && headers.every((header) => Array.isArray(header) && header.length === 2 && header.every((text) => typeof text === "string"));
  if (!areHeaders || !texts.every((text) => typeof text === "string")) return undefined;
  return { method, target, headers, body: new TextEncoder().encode(body) };
}
