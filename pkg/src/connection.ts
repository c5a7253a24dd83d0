// The page's end of the worker: calls with numbers go in, answers and notices come out.
import type { Address, Answer, Call, Notice, Opened, Role, Told } from "./module/hublet.js";
import { HubletError } from "./error.js";

type Waiting = { resolve: (told: Told) => void; reject: (error: HubletError) => void };
type Accepted<T extends Answer["type"]> = Extract<Answer, { type: T }>;

export class Connection {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  #ended: HubletError | undefined;
  onNotice: (notice: Notice) => void = () => {};
  onRole: (role: Role) => void = () => {};

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Told | Notice>) => ("notice" in data ? this.onNotice(data) : this.#told(data));
    worker.onerror = (event) => this.end(new HubletError("worker", `the worker failed: ${event.message || "its file could not be loaded"}`));
  }

  /** Opens the server; answers when it is ready. */
  async open(options: unknown): Promise<Opened> {
    const told = await this.#expect(0, options);
    return told.opened as Opened;
  }

  /** Asks a machine of the server, and takes an answer of these types only. */
  async ask<T extends Answer["type"]>(to: Address, call: Call, ...types: T[]): Promise<Accepted<T>> {
    const { answer } = await this.call("ask", { to, call });
    if (answer && (types as string[]).includes(answer.type)) return answer as Accepted<T>;
    throw refusal(answer);
  }

  /** Another call to the worker. */
  call(type: string, fields: object = {}, transfer: Transferable[] = []): Promise<Told> {
    const id = ++this.#calls;
    return this.#expect(id, { id, type, ...fields }, transfer);
  }

  /** Ends the worker; whoever waits is told why. */
  end(error: HubletError): void {
    if (this.#ended) return;
    this.#ended = error;
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #expect(id: number, message: unknown, transfer: Transferable[] = []): Promise<Told> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage(message, transfer);
    });
  }

  #told(told: Told): void {
    if (told.id === undefined) return told.role && this.onRole(told.role);
    const waiting = this.#waiting.get(told.id);
    this.#waiting.delete(told.id);
    if (told.error) waiting?.reject(new HubletError(told.error.code, told.error.message));
    else waiting?.resolve(told);
  }
}

/** The error that an answer other than the wanted one is. */
function refusal(answer: Answer | undefined): HubletError {
  switch (answer?.type) {
    case "refused": {
      const { status, errcode, error, retryAfterMs, rung, rule } = answer;
      const code = status === 404 ? "not_found" : status === 429 ? "limited" : status >= 502 ? "unreachable" : "refused";
      return new HubletError(code, error, { status, errcode, retryAfterMs, rung, rule });
    }
    case "unreachable":
      return new HubletError("unreachable", `the other server gave no answer: ${answer.error}`);
    default:
      return new HubletError("unreachable", "the server was busy with something else that failed; ask again");
  }
}
