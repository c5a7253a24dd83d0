// The Durable Objects: one a room, one a remote server, one a local user. Each is one machine over its own rows.
import { DurableObject } from "cloudflare:workers";
import { decodeAnswer, encodeCall } from "hublet";
import type { Address, HttpRequest, HttpResponse, SendError } from "hublet";
import { Alarm } from "./alarm.js";
import { MAX_BODY, readBytes } from "./body.js";
import { type Counts, kindOf } from "./counts.js";
import { type Env, identity } from "./env.js";
import { Flood } from "./flood.js";
import { federation } from "./front.js";
import { MachineHost, type Rows } from "./host.js";
import { headersOf, refuse, respond, responseOf, targetOf, tooLarge, tooMany } from "./http.js";
import { Link, linkedServer, type Peer as Other } from "./link.js";
import { report } from "./metrics.js";
import { Outbound } from "./outbound.js";
import { Reporter } from "./reporter.js";
import { Store } from "./store.js";
import { tell } from "./tell.js";

abstract class MachineObject extends DurableObject<Env> {
  readonly #reporter = new Reporter((counted) => report(this.env, counted));
  readonly #alarm = new Alarm(this.ctx.storage, this.#reporter.counts);
  readonly #store = new Store(this.ctx.storage);
  readonly #outbound = new Outbound(this.env, this.ctx.storage, this.#reporter.counts);
  #host: MachineHost | undefined;

  /** A call to the machine of that address, which is the name of this object. */
  ask(address: Address, call: Uint8Array): Promise<Uint8Array> {
    return this.#machine(address).ask(call);
  }

  /** Sends a request to another server. */
  protected send(server: string, request: HttpRequest): Promise<HttpResponse | SendError> {
    return this.#outbound.send(server, request);
  }

  override alarm(): void {
    const { address } = this.#alarm;
    this.#alarm.rang();
    if (address === undefined) return;
    const machine = this.#machine(address);
    machine.wake();
    const isForgotten = machine.isIdle && !this.#alarm.isSet && this.#store.isEmpty;
    // Strangers can make us open a machine for any name. Where nothing came of it, nothing is kept.
    if (isForgotten) void this.ctx.storage.deleteAll();
  }

  #machine(address: Address): MachineHost {
    const kind = kindOf(address);
    return (this.#host ??= new MachineHost(identity(this.env), address, this.#timed(kind), {
      ask: (to, call) => machineAt(this.env, to).ask(to, call),
      send: (server, request) => this.send(server, request),
      wake: (at) => this.#alarm.set(address, at),
      watch: () => this.#alarm.watch(address),
      notify: (notification) => tell(address, notification, this.#reporter.counts),
      dropped: () => this.#reporter.counts.add("hublet_machines_dropped_total", { machine: kind }),
      stepped: (input, milliseconds) => {
        this.#reporter.counts.observe("hublet_step_seconds", { machine: kind, input }, milliseconds);
        this.#plan();
      },
    }));
  }

  /** The rows, with what is written counted. */
  #timed(machine: string): Rows {
    return {
      read: (queries) => this.#store.read(queries),
      apply: (batch) => {
        const start = performance.now();
        const rows = this.#store.apply(batch);
        this.#reporter.counts.observe("hublet_store_seconds", { machine }, performance.now() - start);
        this.#reporter.counts.add("hublet_rows_written_total", { machine }, rows);
      },
    };
  }

  #plan(): void {
    this.#reporter.plan((milliseconds, then) => {
      setTimeout(() => {
        if (this.#host !== undefined) this.measure(this.#host, this.#reporter.counts);
        void then();
      }, milliseconds);
    });
  }

  /** Adds what is measured when a report goes out. */
  protected measure(_machine: MachineHost, _counts: Counts): void {}
}

export class Room extends MachineObject {}

export class Account extends MachineObject {}

export class Peer extends MachineObject {
  #isBehind = false;
  readonly #link = new Link(this.env.HUBLET_NAME, this.ctx);
  readonly #flood = new Flood();

  /** The peer opens a link, over which it is reached from then on, or goes on with one over HTTP. */
  override async fetch(request: Request): Promise<Response> {
    const server = linkedServer(request);
    if (server !== undefined && request.method === "POST") return respond(await this.#link.posted(request, server, this.#other(server)));
    if (server !== undefined && request.headers.get("upgrade") === "websocket") return this.#link.accept(server);
    return respond(refuse(426, "M_UNRECOGNIZED", "open a WebSocket here, or POST, and name your server: ?server=NAME"));
  }

  override async webSocketMessage(socket: WebSocket, text: string | ArrayBuffer): Promise<void> {
    const { server } = socket.deserializeAttachment() as { server: string };
    await this.#link.heard(socket, text, this.#other(server));
  }

  /** The other end of a link. */
  #other(server: string): Other {
    return {
      // What comes over a link goes where it would go by HTTP: some of it needs no proof of who asks, and is not this object's.
      serve: async ({ method, target, headers, body }) => {
        const request = new Request(`https://${this.env.HUBLET_NAME}${target}`, { method, headers, ...(body.length > 0 && { body }) });
        return (await federation(request, this.env, (origin) => this.#pay(server, origin))).response;
      },
      reached: () => void this.ask(`peer:${server}`, encodeCall({ type: "reached" })),
    };
  }

  /** What a peer asks over its link in its own name is limited by its machine. All else is paid here, and beforehand: many requests come at once. */
  #pay(server: string, origin?: string): HttpResponse | undefined {
    if (origin === server) return undefined;
    const now = Date.now();
    const refusal = tooMany(this.#flood.wait(server, undefined, now));
    if (refusal === undefined) this.#flood.charge(server, now);
    return refusal;
  }

  override webSocketClose(): void {
    this.#link.closed();
  }

  override webSocketError(): void {
    this.#link.closed();
  }

  /** Over the peer's link where it has one, else to its address. */
  protected override send(server: string, request: HttpRequest): Promise<HttpResponse | SendError> {
    return this.#link.send(server, request) ?? super.send(server, request);
  }

  /** A request that says it comes from this peer. Its body is read here, where it is used. */
  async serve(address: Address, request: Request): Promise<HttpResponse> {
    const body = await readBytes(request.body, MAX_BODY);
    if (body === undefined) return tooLarge(MAX_BODY);
    const { method, url } = request;
    const call = encodeCall({
      type: "serve",
      request: { method, target: targetOf(url), headers: headersOf(request.headers), body },
    });
    return responseOf(decodeAnswer(await this.ask(address, call)));
  }

  /** How far the peer is behind, and once more when it no longer is. */
  protected override measure({ address, backlog }: MachineHost, counts: Counts): void {
    if (backlog === undefined) return;
    const { rooms, events, edus } = backlog;
    const isBehind = rooms + events + edus > 0;
    if (isBehind || this.#isBehind) {
      const peer = address.replace(/^peer:/, "");
      for (const [of, depth] of Object.entries({ rooms, events, edus })) counts.set("hublet_outbox_depth", { peer, of }, depth);
    }
    this.#isBehind = isBehind;
  }
}

/** The object of a machine. */
export function machineAt(env: Env, address: Address): DurableObjectStub<Room | Peer | Account> {
  switch (kindOf(address)) {
    case "room":
      return env.ROOM.getByName(address);
    case "peer":
      return env.PEER.getByName(address);
    case "account":
      return env.ACCOUNT.getByName(address);
    default:
      throw new Error(`no machine has the address ${address}`);
  }
}
