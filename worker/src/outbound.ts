// Requests to other servers: with a time limit, a size limit and no redirects.
import type { HttpRequest, HttpResponse, SendError } from "hublet";
import { readBytes } from "./body.js";
import type { Env } from "./env.js";
import { baseOf } from "./resolve.js";

/** The longest that a request may take; what waits for it has shorter limits of its own. */
const TIME = 30_000;

/** The largest answer: it still has to pass from one Durable Object to another, which takes 32 MiB. */
const MAX_ANSWER = 30 * 1024 * 1024;

export async function send(env: Env, server: string, request: HttpRequest): Promise<HttpResponse | SendError> {
  const signal = AbortSignal.timeout(TIME);
  try {
    const base = baseOf(server, env.HUBLET_DEVELOPMENT !== undefined);
    const answer = await fetch(base + request.target, {
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
