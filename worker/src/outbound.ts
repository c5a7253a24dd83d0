// Requests to other servers: with a time limit, a size limit and no redirects.
import type { HttpRequest, HttpResponse, SendError } from "hublet";
import { readBytes } from "./body.js";
import { now } from "./clock.js";
import type { Counts } from "./counts.js";
import type { Env } from "./env.js";
import { log, reason } from "./log.js";
import { Places } from "./places.js";
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
  readonly #places: Places;
  readonly #counts: Counts;

  constructor(env: Env, storage: DurableObjectStorage, counts: Counts) {
    this.#isDevelopment = env.HUBLET_DEVELOPMENT !== undefined;
    this.#places = new Places(this.#isDevelopment ? undefined : env.KV);
    this.#counts = counts;
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
      return this.#result(body === undefined ? "too_large" : { status: answer.status, body });
    } catch (error) {
      log("info", "server not reached", { server, why: reason(error) });
      return this.#result(signal.aborted ? "timed_out" : "unreachable");
    }
  }

  #result(result: HttpResponse | SendError): HttpResponse | SendError {
    this.#counts.add("hublet_outgoing_total", { result: typeof result === "string" ? result : result.status });
    return result;
  }

  /** The base address of a server. Only the object of a peer sends, and only to that peer, so there is one place to keep. */
  async #base(server: string, signal: AbortSignal): Promise<string> {
    const kept = this.#kept.get<Place>(PLACE);
    if (kept !== undefined && now() < kept.until) return kept.base;
    const shared = await this.#places.find(server);
    const found = shared ?? (await lookUp(server, this.#isDevelopment, fetch, signal));
    // What follows from the name alone need not be kept.
    if (!Number.isFinite(found.until)) return found.base;
    this.#kept.put(PLACE, found);
    if (shared === undefined) await this.#places.keep(server, found);
    return found.base;
  }
}
