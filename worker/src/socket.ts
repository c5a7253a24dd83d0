// A socket as a way to a peer: what is known of its other end is in its attachment, which outlasts the sleep of its object.
import type { Frame } from "./frames.js";
import type { Way } from "./link.js";

/** WebSocket's close code for whoever may come again later. */
const TRY_LATER = 1013;

interface Attachment {
  server: string;
  nonce: string;
  provenAt: number;
  /** When it was accepted, in milliseconds. */
  begunAt: number;
}

export class Socket implements Way {
  readonly #socket: WebSocket;
  readonly server: string;
  readonly nonce: string;
  readonly provenAt: number;
  readonly begunAt: number;

  /** A socket that was begun. */
  constructor(socket: WebSocket) {
    const { server, nonce, provenAt, begunAt } = socket.deserializeAttachment() as Attachment;
    this.#socket = socket;
    this.server = server;
    this.nonce = nonce;
    this.provenAt = provenAt;
    this.begunAt = begunAt;
  }

  /** A socket that was accepted from whoever says to be that server. */
  static begin(socket: WebSocket, server: string): Socket {
    socket.serializeAttachment({ server, nonce: crypto.randomUUID(), provenAt: 0, begunAt: Date.now() } satisfies Attachment);
    return new Socket(socket);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  proved(at: number): void {
    const { server, nonce, begunAt } = this;
    this.#socket.serializeAttachment({ server, nonce, provenAt: at, begunAt } satisfies Attachment);
  }

  end(): void {
    this.#socket.close(TRY_LATER, "too many links");
  }

  post(frame: Frame): boolean {
    try {
      this.#socket.send(JSON.stringify(frame));
      return true;
    } catch {
      return false;
    }
  }
}
