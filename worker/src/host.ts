// What a machine needs around it: it is opened from its rows, its outputs are carried out in order, and what comes of them is handed back.
// The contract stands as numbered steps in `src/server.rs`.
import { encodeUnavailable, Machine } from "hublet";
import { now } from "./clock.js";
import { log, reason } from "./log.js";
import type {
  Address,
  Backlog,
  HttpRequest,
  HttpResponse,
  Identity,
  MachineInput,
  MachineOutput,
  Notification,
  SendError,
} from "hublet";

/** Where a machine's rows are. */
export interface Rows {
  apply(batch: Uint8Array): void;
  read(queries: Uint8Array): Uint8Array;
}

/** The rest of a machine's world. */
export interface Surroundings {
  /** Asks another machine. Fails when it cannot be asked. */
  ask(to: Address, call: Uint8Array): Promise<Uint8Array>;
  send(server: string, request: HttpRequest): Promise<HttpResponse | SendError>;
  /** Wakes the machine at or after a time. */
  wake(at: number): void;
  /** Called before rows are written, and whenever the machine has something under way: what is lost now must be gone on with later. */
  watch(): void;
  notify(notification: Notification): void;
  /** A step is done: what it was given, and how long it took. Where the platform's clock stands still while we compute, that is nothing. */
  stepped(input: MachineInput["type"], milliseconds: number): void;
  /** The machine was dropped, to be opened again from its rows. */
  dropped(error: unknown): void;
}

/** Tickets of one life of a machine: so many, that none is ever left for the next life to take. */
const TICKETS_OF_A_LIFE = 2 ** 32;

export class MachineHost {
  readonly #identity: Identity;
  readonly address: Address;
  readonly #rows: Rows;
  readonly #around: Surroundings;
  #machine: Machine | undefined;
  #lives = 0;
  #tickets = 0;
  /** Who waits for the answer to a call. */
  readonly #calls = new Map<number, (answer: Uint8Array) => void>();
  #inputs: MachineInput[] = [];
  #isRunning = false;

  constructor(identity: Identity, address: Address, rows: Rows, around: Surroundings) {
    this.#identity = identity;
    this.address = address;
    this.#rows = rows;
    this.#around = around;
  }

  /** Whether nothing is under way. */
  get isIdle(): boolean {
    return this.#machine?.isIdle ?? true;
  }

  /** What waits to be sent, where the machine is a peer's. */
  get backlog(): Backlog | undefined {
    return this.#machine?.backlog();
  }

  /** Asks the machine; the answer always comes, if only to say that there is none. */
  ask(call: Uint8Array): Promise<Uint8Array> {
    const ticket = ++this.#tickets;
    return new Promise((resolve) => {
      this.#calls.set(ticket, resolve);
      this.#take({ type: "ask", ticket, call });
    });
  }

  wake(): void {
    this.#take({ type: "woken" });
  }

  /** Gives the machine's memory back at once. Without this it is given back when the host is collected. */
  free(): void {
    this.#machine?.free();
    this.#machine = undefined;
  }

  /** Forgets the machine: after a failure of the module it may not even be freed. Calls that it had open are answered: unavailable. */
  #drop(): void {
    this.#machine = undefined;
    this.#inputs = [];
    const open = [...this.#calls.values()];
    this.#calls.clear();
    for (const resolve of open) resolve(encodeUnavailable());
  }

  #take(input: MachineInput): void {
    this.#inputs.push(input);
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) this.#handle(next);
      if (!this.isIdle) this.#around.watch();
    } catch (error) {
      // The rows were not written, or the module failed: what is in memory is no longer what is in the store.
      log("error", "machine dropped", { machine: this.address, why: reason(error) });
      this.#around.dropped(error);
      this.#drop();
      this.#around.watch();
    } finally {
      this.#isRunning = false;
    }
  }

  #handle(input: MachineInput): void {
    const machine = (this.#machine ??= new Machine(this.#identity, this.address, ++this.#lives * TICKETS_OF_A_LIFE));
    const start = performance.now();
    machine.handle(now(), crypto.getRandomValues(new Uint8Array(16)), input);
    const outputs: MachineOutput[] = [];
    for (let output = machine.poll(); output !== undefined; output = machine.poll()) outputs.push(output);
    this.#around.stepped(input.type, performance.now() - start);
    for (const output of outputs) this.#carryOut(machine, output);
  }

  #carryOut(machine: Machine, output: MachineOutput): void {
    switch (output.type) {
      case "commit":
        this.#around.watch();
        this.#rows.apply(output.batch);
        // The platform lets nothing out of the object before what was written is durable, so we need not wait for that.
        this.#inputs.push({ type: "committed", ticket: output.ticket });
        break;
      case "read":
        this.#inputs.push({ type: "rows", ticket: output.ticket, rows: this.#rows.read(output.queries) });
        break;
      case "send":
        void this.#around.send(output.server, output.request).then((result) => {
          const { ticket } = output;
          const isSent = typeof result !== "string";
          this.#resume(machine, isSent ? { type: "sent", ticket, response: result } : { type: "notSent", ticket, error: result });
        });
        break;
      case "ask":
        void this.#answer(output.to, output.call).then((answer) =>
          this.#resume(machine, { type: "answer", ticket: output.ticket, answer }),
        );
        break;
      case "needKeys":
        void Promise.all(output.needs.map(({ server, call }) => this.#answer(`peer:${server}`, call))).then((answers) =>
          this.#resume(machine, { type: "keys", ticket: output.ticket, answers }),
        );
        break;
      case "respond": {
        const resolve = this.#calls.get(output.ticket);
        this.#calls.delete(output.ticket);
        resolve?.(output.answer);
        break;
      }
      case "notify":
        this.#around.notify(output.notification);
        break;
      case "wake":
        this.#around.wake(output.at);
        break;
      case "sign":
        throw new Error("a machine that holds its key asked for a signature");
      case "broken":
        throw new Error("the machine is no longer what its rows are");
    }
  }

  #answer(to: Address, call: Uint8Array): Promise<Uint8Array> {
    return this.#around.ask(to, call).catch((error: unknown) => {
      log("warn", "machine not asked", { machine: this.address, asked: to, why: reason(error) });
      return encodeUnavailable();
    });
  }

  /** Hands on what came later, unless the machine that asked is gone. */
  #resume(machine: Machine, input: MachineInput): void {
    if (machine === this.#machine) this.#take(input);
  }
}
