// The hub at the edge: what comes in over HTTP.
import type { Env } from "./env.js";
import { federation } from "./front.js";
import { respond, targetOf, unavailable } from "./http.js";
import { isKeyName, linkedServer } from "./link.js";
import { operator } from "./operator.js";

export { Account, Peer, Room } from "./objects.js";

export default {
  async fetch(request, env): Promise<Response> {
    const linked = linkedServer(request.url);
    // A socket that names a server is that peer's object's; whether the name is true it asks itself.
    if (linked !== undefined && isKeyName(linked)) return env.PEER.getByName(`peer:${linked}`).fetch(request);
    const isOperator = targetOf(request.url).startsWith("/_hublet/");
    try {
      return respond(await (isOperator ? operator(request, env) : federation(request, env)));
    } catch (error) {
      console.error(`${request.method} ${request.url}:`, error);
      return respond(unavailable());
    }
  },
} satisfies ExportedHandler<Env>;
