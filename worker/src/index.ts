// The hub at the edge: what comes in over HTTP, how much of it a stranger may send, and what is counted of it.
import type { HttpResponse } from "hublet";
import type { Env } from "./env.js";
import { Flood } from "./flood.js";
import { federation, type Served } from "./front.js";
import { health } from "./health.js";
import { refuse, respond, targetOf, tooMany, type TypedResponse, unavailable } from "./http.js";
import { isKeyName, LINK, linkedServer, sessionOf } from "./link.js";
import { log, reason } from "./log.js";
import { report } from "./metrics.js";
import { operator } from "./operator.js";
import { Reporter } from "./reporter.js";

export { Metrics } from "./metrics.js";
export { Account, Peer, Room } from "./objects.js";

/** A refusal that is longer is not looked into. */
const MAX_REFUSAL = 4_096;

/** What a browser is told of links over HTTP: who may open them, and how; the last in seconds. */
const ANY_ORIGIN = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "POST",
  "access-control-allow-headers": "content-type",
  "access-control-max-age": "86400",
};

/** The codes that the core answers with. */
const CODES = [
  ...["UNRECOGNIZED", "NOT_JSON", "BAD_JSON", "INVALID_PARAM", "TOO_LARGE", "LIMIT_EXCEEDED"],
  ...["NOT_FOUND", "FORBIDDEN", "WRONG_SERVER", "INCOMPATIBLE_ROOM_VERSION", "BAD_STATE", "UNKNOWN"],
];

/** Of this isolate, whose requests share nothing else. */
const flood = new Flood();
let reporter: Reporter | undefined;

export default {
  async fetch(request, env, context): Promise<Response> {
    const start = performance.now();
    const isLink = new URL(request.url).pathname === LINK;
    const served = isLink ? await link(request, env) : await serve(request, env);
    if (served instanceof Response) return served;
    reporter ??= new Reporter((counted) => report(env, counted));
    note(served, request, reporter, performance.now() - start);
    reporter.plan((milliseconds, then) => context.waitUntil(scheduler.wait(milliseconds).then(then)));
    return isLink ? anyOrigin(respond(served.response)) : respond(served.response);
  },
} satisfies ExportedHandler<Env>;

/** The same for what need not be JSON. */
type Answered = Omit<Served, "response"> & { response: TypedResponse };

async function serve(request: Request, env: Env): Promise<Answered> {
  const from = addressOf(request);
  const [path = ""] = targetOf(request.url).split("?", 1);
  const isOperators = path.startsWith("/_hublet/");
  const endpoint = isOperators ? "operator" : "none";
  const mayPass = (origin?: string) => tooMany(flood.wait(from, origin, Date.now()));
  try {
    if (path === "/_hublet/health") return charge(from, { endpoint: "health", response: mayPass() ?? (await health(env)) });
    if (isOperators) return charge(from, { endpoint, response: await operator(request, env, mayPass) });
    return charge(from, await federation(request, env, mayPass));
  } catch (error) {
    return failed(endpoint, request, error);
  }
}

async function link(request: Request, env: Env): Promise<Answered | Response> {
  try {
    return await linked(request, env);
  } catch (error) {
    return failed("link", request, error);
  }
}

/** A link is its peer's object's, which itself asks whether the name is true. Who opens one has proved nothing yet; a session's ID is known to nobody but who has it. */
async function linked(request: Request, env: Env): Promise<Answered | Response> {
  const [from, server, id] = [addressOf(request), linkedServer(request), sessionOf(request)];
  const answer = (response: HttpResponse): Answered => ({ endpoint: "link", response });
  // A session is known as one of that server alone, and is no server's name.
  const session = id === undefined ? undefined : `link ${server} ${id}`;
  const refusal = tooMany(flood.wait(from, session, Date.now()));
  if (refusal !== undefined) return answer(refusal);
  if (session === undefined) flood.charge(from, Date.now());
  if (request.method === "OPTIONS") return answer({ status: 200, body: new Uint8Array() });
  if (server === undefined || !isKeyName(server)) return answer(refuse(400, "M_INVALID_PARAM", "name your server, ?server=NAME; its name must be a key"));
  const response = await env.PEER.getByName(`peer:${server}`).fetch(request);
  if (response.status < 400) {
    if (session !== undefined) flood.proved(session);
    return response.webSocket ? response : anyOrigin(response);
  }
  if (session !== undefined) flood.charge(from, Date.now());
  return answer({ status: response.status, body: new Uint8Array(await response.arrayBuffer()) });
}

function failed(endpoint: string, { method }: Request, error: unknown): Answered {
  log("error", "request failed", { endpoint, method, why: reason(error) });
  return { endpoint, response: unavailable() };
}

/** Pages of any origin may read the answer: what counts is the proof, and no cookie. */
function anyOrigin(response: Response): Response {
  const open = new Response(response.body, response);
  for (const [name, value] of Object.entries(ANY_ORIGIN)) open.headers.set(name, value);
  return open;
}

/** What was answered with these may have come from anybody, whatever name it bore. */
const UNPROVEN = [400, 401, 413];

/** Whoever proves to be somebody pays nothing here; nor does a wait cost more waiting. */
function charge(from: string, served: Answered): Answered {
  const { endpoint, origin, response } = served;
  const { status } = response;
  if (origin !== undefined && status === 200) flood.proved(origin);
  const isStrangers = endpoint === "operator" ? status === 401 : origin === undefined || UNPROVEN.includes(status);
  if (isStrangers && status !== 429) flood.charge(from, Date.now());
  return served;
}

function note({ endpoint, origin, response }: Answered, request: Request, { counts }: Reporter, milliseconds: number): void {
  const { status } = response;
  counts.add("hublet_requests_total", { endpoint, status });
  counts.observe("hublet_request_seconds", { endpoint }, milliseconds);
  if (status < 400) return;
  const errcode = errcodeOf(response);
  counts.add("hublet_requests_refused_total", { endpoint, errcode });
  const level = status === 401 || status === 403 || status === 429 ? "warn" : "info";
  log(level, "request refused", { endpoint, status, errcode, from: addressOf(request), ...(origin && { origin }) });
}

/** The code of a refusal. It may be another server's, passed on; what is none of ours is not counted by name. */
function errcodeOf({ body }: TypedResponse): string {
  const text = body instanceof ReadableStream || body.length > MAX_REFUSAL ? "" : new TextDecoder().decode(body);
  const code = /"errcode"\s*:\s*"M_([A-Z_]+)"/.exec(text)?.[1] ?? "";
  return CODES.includes(code) ? `M_${code}` : "other";
}

/** From where a request comes, as the platform says. */
function addressOf(request: Request): string {
  return request.headers.get("cf-connecting-ip") ?? "unknown";
}
