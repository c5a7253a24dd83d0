// A socket as a way to a peer: what is known of its other end is in its attachment, which outlasts the sleep of its object.
import type { Frame } from "./frames.js";
import type { Way } from "./link.js";

interface Attachment {
  server: string;
  nonce: string;
  provenAt: number;
}

export class Socket implements Way {
  readonly #socket: WebSocket;
  readonly server: string;
  readonly nonce: string;
  readonly provenAt: number;

  /** A socket that was begun. */
  constructor(socket: WebSocket) {
    const { server, nonce, provenAt } = socket.deserializeAttachment() as Attachment;
    this.#socket = socket;
    this.server = server;
    this.nonce = nonce;
    this.provenAt = provenAt;
  }

  /** A socket that was accepted from whoever says to be that server. */
  static begin(socket: WebSocket, server: string): Socket {
    socket.serializeAttachment({ server, nonce: crypto.randomUUID(), provenAt: 0 } satisfies Attachment);
    return new Socket(socket);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  proved(at: number): void {
    const { server, nonce } = this;
    this.#socket.serializeAttachment({ server, nonce, provenAt: at } satisfies Attachment);
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
