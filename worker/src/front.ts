// Requests of other servers: passed on to the peer's object, or answered here when nobody need prove who asks.
import { decodeAnswer, encodeCall, Router } from "hublet";
import type { HttpResponse } from "hublet";
import { readBytes } from "./body.js";
import { type Env, identity } from "./env.js";
import { MachineHost, type Rows } from "./host.js";
import { headersOf, responseOf, targetOf, tooLarge } from "./http.js";
import { notarised } from "./notary.js";
import { machineAt } from "./objects.js";

/** The largest body without authentication: a list of servers. */
const MAX_OPEN_BODY = 65_536;

const NO_ROWS: Rows = {
  apply: () => {
    throw new Error("the front keeps no rows");
  },
  read: () => {
    throw new Error("the front has no rows");
  },
};

let router: Router | undefined;

/** A request's answer, and what is known of the request beside: the endpoint's name, and the server that it says it comes from. */
export interface Served {
  endpoint: string;
  origin?: string;
  response: HttpResponse;
}

/** Only method, target and headers are read here; the body goes to where it is used. `mayPass` refuses what its sender has no allowance for. */
export async function federation(request: Request, env: Env, mayPass: (origin?: string) => HttpResponse | undefined): Promise<Served> {
  router ??= new Router(env.HUBLET_NAME);
  const direction = router.direct(request.method, targetOf(request.url), headersOf(request.headers));
  switch (direction.type) {
    case "answer":
      return { endpoint: "none", response: mayPass() ?? direction.response };
    case "front": {
      const { endpoint } = direction;
      return { endpoint, response: mayPass() ?? (await front(request, env, endpoint)) };
    }
    case "peer": {
      const { endpoint, server: origin } = direction;
      const address = `peer:${origin}`;
      return { endpoint, origin, response: mayPass(origin) ?? (await env.PEER.getByName(address).serve(address, request)) };
    }
  }
}

/** A front has no rows and nothing to remember, so each request has its own: the platform lets no request wait for another's. */
async function front(request: Request, env: Env, endpoint: string): Promise<HttpResponse> {
  const body = await readBytes(request.body, MAX_OPEN_BODY);
  if (body === undefined) return tooLarge(MAX_OPEN_BODY);
  const { method, url } = request;
  const target = targetOf(url);
  const us = identity(env);
  const ask = async () => {
    const machine = new MachineHost(us, "front", NO_ROWS, {
      ask: (to, call) => machineAt(env, to).ask(to, call),
      send: () => Promise.resolve("unreachable"),
      wake: () => {},
      watch: () => {},
      notify: () => {},
      stepped: () => {},
      dropped: () => {},
    });
    const call = encodeCall({ type: "front", request: { method, target, headers: headersOf(request.headers), body } });
    const answer = decodeAnswer(await machine.ask(call));
    machine.free();
    return responseOf(answer);
  };
  return endpoint === "notary_keys" ? notarised(env.KV, us.keyId, target, ask) : ask();
}
