// What an operator may ask: HTTP and JSON in, calls to machines out. What is allowed is decided by the machines.
import { type Answer, type Call, decodeAnswer, encodeCall, HubletError, Machine, roomId, version } from "hublet";
import type { Address, HttpResponse } from "hublet";
import { exportKeys, exportRoom, importRoom } from "./archive.js";
import { readBytes } from "./body.js";
import { moveClock } from "./clock.js";
import { type Env, identity } from "./env.js";
import { Fields, Refusal } from "./fields.js";
import { refuse, responseOf, targetOf, type TypedResponse } from "./http.js";
import { METRICS } from "./metrics.js";
import { machineAt } from "./objects.js";
import { isOperator } from "./token.js";

/** The largest body: an event's content and what stands around it. */
const MAX_BODY = 128 * 1024;

/** Events of one page of a timeline. */
const PAGE = 50;
const LONGEST_PAGE = 500;

interface Asked {
  env: Env;
  /** What the path names. */
  subject: string;
  query: URLSearchParams;
  /** What the body says; nothing where it is read as a stream. */
  fields: Fields;
  body: ReadableStream<Uint8Array> | null;
}

interface Route {
  method: "GET" | "POST";
  path: RegExp;
  /** The body is read by whoever answers, as it comes. */
  isStream?: true;
  answer(asked: Asked): Promise<TypedResponse>;
}

const ROUTES: Route[] = [
  { method: "GET", path: /^\/_hublet\/version$/, answer: async () => ok({ name: "hublet", version: version() }) },
  { method: "GET", path: /^\/_hublet\/metrics$/, answer: metrics },
  { method: "POST", path: /^\/_hublet\/clock$/, answer: setClock },
  { method: "POST", path: /^\/_hublet\/rooms$/, answer: createRoom },
  { method: "POST", path: /^\/_hublet\/rooms\/([^/]+)\/events$/, answer: sendEvent },
  { method: "POST", path: /^\/_hublet\/rooms\/([^/]+)\/members$/, answer: setMember },
  { method: "POST", path: /^\/_hublet\/rooms\/([^/]+)\/transfer$/, answer: transfer },
  { method: "GET", path: /^\/_hublet\/rooms\/([^/]+)\/timeline$/, answer: timeline },
  { method: "GET", path: /^\/_hublet\/rooms\/([^/]+)\/export$/, answer: async ({ env, subject }) => exportRoom(env, known(env, subject)) },
  { method: "GET", path: /^\/_hublet\/rooms\/([^/]+)\/keys$/, answer: async ({ env, subject }) => exportKeys(env, known(env, subject)) },
  {
    method: "POST",
    path: /^\/_hublet\/rooms\/([^/]+)\/import$/,
    isStream: true,
    answer: async ({ env, subject, body }) => importRoom(env, known(env, subject), body),
  },
  { method: "POST", path: /^\/_hublet\/rooms\/([^/]+)\/typing$/, answer: typing },
  { method: "POST", path: /^\/_hublet\/rooms\/([^/]+)\/read$/, answer: markRead },
  { method: "GET", path: /^\/_hublet\/users\/([^/]+)\/invites$/, answer: invites },
  { method: "POST", path: /^\/_hublet\/users\/([^/]+)\/profile$/, answer: setProfile },
  { method: "POST", path: /^\/_hublet\/users\/([^/]+)\/devices$/, answer: putDevice },
  { method: "POST", path: /^\/_hublet\/users\/([^/]+)\/keys$/, answer: addKeys },
  { method: "GET", path: /^\/_hublet\/users\/([^/]+)\/messages$/, answer: messages },
];

/** `mayPass` refuses those who have tried too many tokens; who shows the right one is never refused by it. */
export async function operator(request: Request, env: Env, mayPass: () => HttpResponse | undefined): Promise<TypedResponse> {
  if (!(await isOperator(request.headers, env.HUBLET_TOKEN))) {
    return mayPass() ?? refuse(401, "M_FORBIDDEN", "show the operator's token: `Authorization: Bearer TOKEN`");
  }
  const [path = "", query = ""] = targetOf(request.url).split("?", 2);
  const known = ROUTES.filter((route) => route.path.test(path));
  const route = known.find(({ method }) => method === request.method);
  if (route === undefined) {
    return known[0] === undefined
      ? refuse(404, "M_UNRECOGNIZED", "the operator's interface has no such path")
      : refuse(405, "M_UNRECOGNIZED", `this path takes ${known[0].method}`);
  }
  try {
    return await route.answer({
      env,
      subject: decodeURIComponent(route.path.exec(path)?.[1] ?? ""),
      query: new URLSearchParams(query),
      body: request.body,
      fields: route.method === "POST" && !route.isStream ? new Fields(await readBytes(request.body, MAX_BODY)) : Fields.none(),
    });
  } catch (error) {
    if (error instanceof Refusal) return error.response;
    if (error instanceof URIError) return refuse(400, "M_INVALID_PARAM", "the path is not percent-encoded UTF-8");
    if (error instanceof HubletError) return refuse(400, "M_INVALID_PARAM", error.message);
    throw error;
  }
}

async function metrics({ env }: Asked): Promise<TypedResponse> {
  const text = await env.METRICS.getByName(METRICS).text();
  return { status: 200, body: new TextEncoder().encode(text), contentType: "text/plain; version=0.0.4; charset=utf-8" };
}

async function setClock({ env, fields }: Asked): Promise<HttpResponse> {
  const isDevelopment = env.HUBLET_DEVELOPMENT !== undefined;
  if (!isDevelopment) throw new Refusal("M_UNRECOGNIZED", "the clock can be moved in development only", 404);
  moveClock(fields.integer("ahead_ms", "how many milliseconds our time is to be ahead of the platform's"));
  return ok({});
}

async function createRoom({ env, fields }: Asked): Promise<HttpResponse> {
  const creator = fields.text("creator", "a user ID of this server, such as `@ann:" + env.HUBLET_NAME + "`");
  const isPublic = fields.flag("public", "true or false: whether anybody may join");
  const name = fields.optionalText("name", "the room's name");
  const version = fields.optionalText("version", "a room version");
  const isMovable = fields.optionalFlag("hub_transfer", "true or false: whether the room may move to another hub");
  const room = roomId(env.HUBLET_NAME, crypto.getRandomValues(new Uint8Array(16)));
  const answer = await ask(env, `room:${room}`, {
    type: "create",
    creator,
    public: isPublic,
    ...(name !== undefined && { name }),
    ...(version !== undefined && { version }),
    ...(isMovable && { content: '{"hublet.hub_transfer":true}' }),
  });
  return answer.type === "created" ? ok({ room_id: answer.roomId }) : responseOf(answer);
}

async function sendEvent({ env, subject, fields }: Asked): Promise<HttpResponse> {
  const stateKey = fields.optionalText("state_key", "the state key, for a state event");
  const answer = await ask(env, `room:${subject}`, {
    type: "send",
    sender: fields.text("sender", "a user ID of this server"),
    kind: fields.text("type", "the event's type, such as `m.room.message`"),
    content: fields.object("content", "the event's content, an object"),
    ...(stateKey !== undefined && { stateKey }),
  });
  return accepted(answer);
}

async function setMember({ env, subject, fields }: Asked): Promise<HttpResponse> {
  const answer = await ask(env, `room:${subject}`, {
    type: "member",
    user: fields.text("user", "a user ID of this server"),
    membership: fields.oneOf("membership", ["join", "knock", "leave"]),
    via: fields.optionalTexts("via", "server names to ask, an array of strings"),
  });
  return accepted(answer);
}

async function transfer({ env, subject, fields }: Asked): Promise<HttpResponse> {
  const to = fields.text("to", "the name of the server that may become the hub");
  return done(await ask(env, `room:${subject}`, { type: "consent", to }));
}

async function timeline({ env, subject, query }: Asked): Promise<HttpResponse> {
  const from = integer(query, "from", 0);
  const limit = Math.min(integer(query, "limit", PAGE), LONGEST_PAGE);
  if (limit < 1) throw new Refusal("M_INVALID_PARAM", "parameter `limit` must be at least 1");
  const answer = await ask(env, `room:${subject}`, { type: "timeline", from, limit });
  if (answer.type !== "entries") return responseOf(answer);
  const events = answer.entries.map(({ position, eventId, event }) => ({
    position,
    event_id: eventId,
    ...(event && { event: JSON.parse(new TextDecoder().decode(event)) as unknown }),
  }));
  return ok({ events });
}

async function invites({ env, subject }: Asked): Promise<HttpResponse> {
  const answer = await ask(env, `account:${subject}`, { type: "invites" });
  if (answer.type !== "invites") return responseOf(answer);
  return ok({ invites: answer.invites.map(({ roomId, ...rest }) => ({ room_id: roomId, ...rest })) });
}

async function typing({ env, subject, fields }: Asked): Promise<HttpResponse> {
  const sender = fields.text("user", "a user ID of this server");
  const isTyping = fields.flag("typing", "true or false");
  return done(await ask(env, `room:${subject}`, { type: "typing", sender, typing: isTyping }));
}

async function markRead({ env, subject, fields }: Asked): Promise<HttpResponse> {
  const sender = fields.text("user", "a user ID of this server");
  const eventId = fields.text("event_id", "the last event that the user has read");
  return done(await ask(env, `room:${subject}`, { type: "read", sender, eventId }));
}

async function setProfile({ env, subject, fields }: Asked): Promise<HttpResponse> {
  const field = fields.oneOf("field", ["displayname", "avatar_url"]);
  const value = fields.optionalText("value", "what it is from now on; nothing removes it");
  return done(await ask(env, `account:${subject}`, { type: "setProfile", field, ...(value !== undefined && { value }) }));
}

async function putDevice({ env, subject, fields }: Asked): Promise<HttpResponse> {
  const content = fields.object("device", "the device object, signed by the keys in it");
  return done(await ask(env, `account:${subject}`, { type: "putDevice", content }));
}

async function addKeys({ env, subject, fields }: Asked): Promise<HttpResponse> {
  const device = fields.text("device", "the device's ID");
  const content = fields.object("keys", "one-time keys: name (`algorithm:id`) to key");
  const lastResort = fields.optionalFlag("last_resort", "true or false: whether they are given out again and again") ?? false;
  return done(await ask(env, `account:${subject}`, { type: "addKeys", device, content, lastResort }));
}

async function messages({ env, subject, query }: Asked): Promise<HttpResponse> {
  const device = query.get("device") ?? "";
  const answer = await ask(env, `account:${subject}`, { type: "messages", device, after: integer(query, "after", 0), limit: PAGE });
  if (answer.type !== "messages") return responseOf(answer);
  return ok({ messages: answer.messages.map(({ number, message }) => ({ number, message: JSON.parse(message) as unknown })) });
}

/** A room ID. The module knows what one is: it throws here, and not in an object that was made for nothing. */
function known(env: Env, room: string): string {
  check(env, `room:${room}`);
  return room;
}

function check(env: Env, address: Address): void {
  new Machine(identity(env), address, 0).free();
}

async function ask(env: Env, address: Address, call: Call): Promise<Answer> {
  check(env, address);
  return decodeAnswer(await machineAt(env, address).ask(address, encodeCall(call)));
}

function done(answer: Answer): HttpResponse {
  return answer.type === "done" ? ok({}) : responseOf(answer);
}

function accepted(answer: Answer): HttpResponse {
  return answer.type === "accepted" ? ok({ event_id: answer.eventId }) : responseOf(answer);
}

function ok(body: object): HttpResponse {
  return { status: 200, body: new TextEncoder().encode(JSON.stringify(body)) };
}

function integer(query: URLSearchParams, name: string, otherwise: number): number {
  const value = Number(query.get(name) ?? otherwise);
  if (Number.isSafeInteger(value)) return value;
  throw new Refusal("M_INVALID_PARAM", `parameter \`${name}\` must be an integer`);
}
