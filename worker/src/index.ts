// The hub at the edge: what comes in over HTTP.
import type { Env } from "./env.js";
import { federation } from "./front.js";
import { respond, targetOf, unavailable } from "./http.js";
import { operator } from "./operator.js";

export { Account, Peer, Room } from "./objects.js";

export default {
  async fetch(request, env): Promise<Response> {
    const isOperator = targetOf(request.url).startsWith("/_hublet/");
    try {
      return respond(await (isOperator ? operator(request, env) : federation(request, env)));
    } catch (error) {
      console.error(`${request.method} ${request.url}:`, error);
      return respond(unavailable());
    }
  },
} satisfies ExportedHandler<Env>;
