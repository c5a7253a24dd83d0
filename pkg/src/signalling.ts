// Direct links between servers of one room. Offers and answers travel through it as data that nobody keeps; they may be lost, so an offer is repeated until it is answered.
import { answerChannel, offerChannel } from "./channel.js";
import { HubletError } from "./error.js";
import type { Hublet, Peer } from "./hublet.js";

/** How a link to a server of the room is made. */
export interface ConnectPeerOptions {
  /** Servers that help to find a way, as for `RTCPeerConnection`. */
  config?: RTCConfiguration;
  /** Milliseconds until it is given up; 15,000 unless another is given. */
  timeout?: number;
}

/** Whose offers are answered, and how. */
export interface AcceptPeersOptions {
  /** Servers that help to find a way, as for `RTCPeerConnection`. */
  config?: RTCConfiguration;
  /** The servers that are answered; all of the room unless some are given. */
  from?: string | string[];
}

/** The kind of data that carries offers and answers. */
export const SIGNAL = "hublet.link";

/** A description, or a piece of one where it is long. */
interface Signal {
  to: string;
  /** Names the link in the making. */
  link: string;
  step: "offer" | "answer";
  piece: number;
  pieces: number;
  sdp: string;
}

/** Characters of a piece: data may take 4,096 bytes with what is around it, and some characters take two. */
const PIECE = 2_400;

/** No description has more pieces, and of more descriptions at once pieces are not kept. */
const MOST_PIECES = 16;
const MOST_BEGUN = 32;

/** Links in the making that one server may have begun. */
const MOST_ANSWERED = 4;

/** Milliseconds: how long routes are looked for, between an offer and its repetition, and for all of it. */
const GATHER = 2_000;
const REPEAT = 2_000;
const PATIENCE = 15_000;

/** What ends the wait for an answer: it came, or both sides offered and theirs counts. */
type Outcome = { answer: string } | { peer: Promise<Peer> };

interface Offering {
  link: string;
  config?: RTCConfiguration;
  peer: Promise<Peer>;
  settle: ((outcome: Outcome) => void) | undefined;
}

interface Answering {
  server: string;
  peer: Promise<Peer>;
  isOver: boolean;
  repeat(): void;
}

/** The links that a page's room makes and answers. */
export class Signalling {
  readonly #us: string;
  readonly #hublet: Hublet;
  readonly #send: (data: Signal) => Promise<void>;
  readonly #acceptors = new Set<AcceptPeersOptions>();
  /** By server. */
  readonly #offerings = new Map<string, Offering>();
  /** By the link's name. */
  readonly #answerings = new Map<string, Answering>();
  /** Descriptions of which pieces have come. */
  readonly #begun = new Map<string, (string | undefined)[]>();
  readonly #closers = new Set<() => void>();

  constructor(hublet: Hublet, send: (data: Signal) => Promise<void>) {
    this.#us = hublet.server;
    this.#hublet = hublet;
    this.#send = send;
  }

  /** Makes a link, or takes part in the one to that server which is in the making. */
  connect(server: string, { config, timeout = PATIENCE }: ConnectPeerOptions): Promise<Peer> {
    const answering = [...this.#answerings.values()].find((answering) => answering.server === server && !answering.isOver);
    const known = this.#offerings.get(server) ?? answering;
    if (known) return known.peer;
    let settle: Offering["settle"];
    const outcome = new Promise<Outcome>((resolve) => (settle = resolve));
    const offering: Offering = { link: crypto.randomUUID(), config, settle, peer: undefined as never };
    this.#offerings.set(server, offering);
    offering.peer = this.#offer(server, offering, outcome, timeout).finally(() => this.#offerings.delete(server));
    return offering.peer;
  }

  /** Answers offers until the function that it gives is called. */
  accept(options: AcceptPeersOptions): () => void {
    const acceptor = { ...options };
    this.#acceptors.add(acceptor);
    return () => void this.#acceptors.delete(acceptor);
  }

  /** Takes what a server of the room said. */
  heard(server: string, signal: Partial<Signal> | null): void {
    if (!signal || signal.to !== this.#us || server === this.#us || !isSignal(signal)) return;
    const ours = this.#offerings.get(server);
    const acceptor = [...this.#acceptors].find(({ from = server }) => [from].flat().includes(server));
    const known = this.#answerings.get(`${server} ${signal.link}`);
    if (signal.step === "answer" ? ours?.link !== signal.link : !ours && !acceptor && !known) return;
    const description = this.#whole(server, signal);
    if (description === undefined) return;
    if (signal.step === "answer") return settle(ours, { answer: description });
    // The answer was lost, or is on its way.
    if (known) return known.repeat();
    if (!ours?.settle) return acceptor && void this.#answer(server, signal.link, description, acceptor.config).catch(ignore);
    // Both offer: of the two the offer of the server whose name comes first counts.
    if (server < this.#us) settle(ours, { peer: this.#answer(server, signal.link, description, ours.config) });
  }

  /** Ends all links, and what is in the making. */
  end(): void {
    this.#acceptors.clear();
    const closed = Promise.reject(new HubletError("closed", "the server was closed by this page"));
    closed.catch(ignore);
    for (const offering of this.#offerings.values()) settle(offering, { peer: closed });
    for (const close of this.#closers) close();
  }

  async #offer(server: string, { link, config }: Offering, outcome: Promise<Outcome>, timeout: number): Promise<Peer> {
    const end = performance.now() + timeout;
    const made = await offerChannel(config, Math.min(GATHER, timeout)).catch((error: unknown) => {
      throw new HubletError(error instanceof ReferenceError ? "unsupported" : "argument", `no data channel can be made: ${String(error)}`);
    });
    const say = () => this.#say(server, link, "offer", made.offer);
    const repeating = setInterval(() => void say().catch(ignore), REPEAT);
    try {
      if (this.#offerings.get(server)?.settle) await say();
      const came = await within(end, outcome, `${server} has not answered the offer: it accepts none, or does not hear the room now`);
      clearInterval(repeating);
      if ("answer" in came) return await within(end, this.#stand(server, made.accept(came.answer), made.close), `${server} has answered, but no way to it was found`);
      made.close();
      return await within(end, came.peer, `no way to ${server} was found`);
    } catch (error) {
      made.close();
      throw error instanceof HubletError ? error : new HubletError("unreachable", `${server} has answered what cannot be used: ${String(error)}`);
    } finally {
      clearInterval(repeating);
    }
  }

  #answer(server: string, link: string, offer: string, config?: RTCConfiguration): Promise<Peer> {
    const name = `${server} ${link}`;
    const making = [...this.#answerings.values()].filter((answering) => answering.server === server && !answering.isOver);
    if (making.length >= MOST_ANSWERED) return Promise.reject(new HubletError("limited", `${server} makes too many offers at once`));
    const answering: Answering = { server, isOver: false, repeat: ignore, peer: undefined as never };
    this.#answerings.set(name, answering);
    // Of two answers to one offer either would spoil the other's way.
    const answer = inOneTab(`hublet link ${this.#us} ${name}`, () => this.#make(answering, link, offer, config));
    answering.peer = answer.then((peer) => peer ?? this.#madeElsewhere(server)).finally(() => (answering.isOver = true));
    answering.peer.then(
      // Its offer may come once more.
      () => setTimeout(() => this.#answerings.delete(name), PATIENCE),
      () => this.#answerings.delete(name),
    );
    return answering.peer;
  }

  async #make(answering: Answering, link: string, offer: string, config?: RTCConfiguration): Promise<Peer> {
    const { server } = answering;
    const end = performance.now() + PATIENCE;
    const made = await answerChannel(offer, config, GATHER);
    answering.repeat = () => void this.#say(server, link, "answer", made.answer).catch(ignore);
    answering.repeat();
    return within(end, this.#stand(server, made.channel, made.close), `no way to ${server} was found`).catch((error) => {
      made.close();
      throw error;
    });
  }

  /** The link that another tab of ours is making. */
  async #madeElsewhere(server: string): Promise<Peer> {
    const isIt = (peer: Peer) => peer.server === server && peer.link === "rtc" && peer.connected;
    const standing = this.#hublet.peers.find(isIt);
    if (standing) return standing;
    const ending = new AbortController();
    const made = new Promise<Peer>((resolve) => this.#hublet.addEventListener("peer", ({ detail }) => isIt(detail) && resolve(detail), { signal: ending.signal }));
    return within(performance.now() + PATIENCE, made, `no way to ${server} was found`).finally(() => ending.abort());
  }

  /** The link once it stands, with that server and no other at its other end. */
  async #stand(server: string, opening: Promise<RTCDataChannel>, close: () => void): Promise<Peer> {
    const channel = await opening;
    this.#closers.add(close);
    channel.addEventListener("close", () => this.#closers.delete(close));
    const peer = await this.#hublet.connectChannel(channel);
    if (peer.server === server) return peer;
    close();
    throw new HubletError("unreachable", `at the other end of the link is another server: ${peer.server}`);
  }

  async #say(to: string, link: string, step: Signal["step"], description: string): Promise<void> {
    const { sdp } = JSON.parse(description) as { sdp: string };
    const pieces = Math.ceil(sdp.length / PIECE);
    const cut = Array.from({ length: pieces }, (_, piece) => sdp.slice(piece * PIECE, (piece + 1) * PIECE));
    await Promise.all(cut.map((sdp, piece) => this.#send({ to, link, step, piece, pieces, sdp })));
  }

  /** The description, once all its pieces are here. */
  #whole(server: string, { link, step, piece, pieces, sdp }: Signal): string | undefined {
    const name = `${server} ${step} ${link} ${pieces}`;
    const begun = this.#begun.get(name) ?? Array<string | undefined>(pieces).fill(undefined);
    begun[piece] = sdp;
    this.#begun.delete(name);
    if (!begun.includes(undefined)) return JSON.stringify({ type: step, sdp: begun.join("") });
    this.#begun.set(name, begun);
    const [oldest = ""] = this.#begun.keys();
    if (this.#begun.size > MOST_BEGUN) this.#begun.delete(oldest);
    return undefined;
  }
}

function settle(offering: Offering | undefined, outcome: Outcome): void {
  offering?.settle?.(outcome);
  if (offering) offering.settle = undefined;
}

/** Whether what came has the form of a signal. */
function isSignal(signal: Partial<Signal>): signal is Signal {
  const { link, step, piece, pieces, sdp } = signal;
  const isNumber = (number: unknown, most: number) => Number.isInteger(number) && (number as number) >= 0 && (number as number) < most;
  return (step === "offer" || step === "answer") && typeof link === "string" && link.length <= 64 && typeof sdp === "string" && isNumber(pieces, MOST_PIECES + 1) && isNumber(piece, pieces as number);
}

/** Does something unless another tab of this origin has begun it; then nothing comes of it. */
function inOneTab<T>(name: string, work: () => Promise<T>): Promise<T | undefined> {
  if (!navigator.locks) return work();
  return new Promise((resolve, reject) => {
    const done = async (lock: Lock | null) => {
      if (!lock) return resolve(undefined);
      resolve(await work());
      // What is repeated meanwhile is not begun anew.
      await new Promise((later) => setTimeout(later, PATIENCE));
    };
    navigator.locks.request(name, { ifAvailable: true }, done).catch(reject);
  });
}

/** What comes in time; else it is unreachable, for that reason. */
async function within<T>(end: number, promise: Promise<T>, reason: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new HubletError("unreachable", reason)), Math.max(0, end - performance.now()));
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** For what is repeated when it fails, or told elsewhere. */
function ignore(): void {}
