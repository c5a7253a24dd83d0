// Requests to other servers: with a time limit, a size limit and no redirects.
import type { HttpRequest, HttpResponse, SendError } from "hublet";
import { readBytes } from "./body.js";
import type { Env } from "./env.js";
import { lookUp, type Place } from "./resolve.js";

/** The longest that a request may take; what waits for it has shorter limits of its own. */
const TIME = 30_000;

/** The largest answer: it still has to pass from one Durable Object to another, which takes 32 MiB. */
const MAX_ANSWER = 30 * 1024 * 1024;

/** Where an object keeps the place of the server that it stands for. */
const PLACE = "place";

export class Outbound {
  readonly #isDevelopment: boolean;
  readonly #kept: SyncKvStorage;

  constructor(env: Env, storage: DurableObjectStorage) {
    this.#isDevelopment = env.HUBLET_DEVELOPMENT !== undefined;
    this.#kept = storage.kv;
  }

  async send(server: string, request: HttpRequest): Promise<HttpResponse | SendError> {
    const signal = AbortSignal.timeout(TIME);
    try {
      const answer = await fetch((await this.#base(server, signal)) + request.target, {
        method: request.method,
        headers: request.headers,
        redirect: "manual",
        signal,
        ...(request.body.length > 0 && { body: request.body }),
      });
      const body = await readBytes(answer.body, MAX_ANSWER);
      return body === undefined ? "too_large" : { status: answer.status, body };
    } catch (error) {
      console.warn(`${server} was not reached for ${request.method} ${request.target}:`, String(error));
      return signal.aborted ? "timed_out" : "unreachable";
    }
  }

  /** The base address of a server. Only the object of a peer sends, and only to that peer, so there is one place to keep. */
  async #base(server: string, signal: AbortSignal): Promise<string> {
    const kept = this.#kept.get<Place>(PLACE);
    if (kept !== undefined && Date.now() < kept.until) return kept.base;
    const found = await lookUp(server, this.#isDevelopment, fetch, signal);
    // What follows from the name alone need not be kept.
    if (Number.isFinite(found.until)) this.#kept.put(PLACE, found);
    return found.base;
  }
}
