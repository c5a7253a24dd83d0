// The fields of an operator's request: each is there in its form, or the refusal names it and says what it should be.
import { refuse } from "./http.js";
import type { HttpResponse } from "hublet";

export class Refusal extends Error {
  readonly response: HttpResponse;

  constructor(errcode: string, error: string, status = 400) {
    super(error);
    this.response = refuse(status, errcode, error);
  }
}

export class Fields {
  readonly #object: Record<string, unknown>;

  /** Takes the body; none when it was too large to be read. */
  constructor(body: Uint8Array | undefined) {
    if (body === undefined) throw new Refusal("M_TOO_LARGE", "the body is too large for an event", 413);
    const value = parse(body);
    if (!isObject(value)) throw new Refusal("M_BAD_JSON", "the body must be an object");
    this.#object = value;
  }

  static none(): Fields {
    return new Fields(new TextEncoder().encode("{}"));
  }

  text(name: string, meaning: string): string {
    return this.optionalText(name, meaning) ?? missing(name, meaning);
  }

  optionalText(name: string, meaning: string): string | undefined {
    const value = this.#object[name];
    return value === undefined || typeof value === "string" ? value : wrong(name, meaning);
  }

  flag(name: string, meaning: string): boolean {
    return this.optionalFlag(name, meaning) ?? missing(name, meaning);
  }

  optionalFlag(name: string, meaning: string): boolean | undefined {
    const value = this.#object[name];
    return value === undefined || typeof value === "boolean" ? value : wrong(name, meaning);
  }

  integer(name: string, meaning: string): number {
    const value = this.#object[name] ?? missing(name, meaning);
    return typeof value === "number" && Number.isSafeInteger(value) ? value : wrong(name, meaning);
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T {
    const text = this.text(name, `one of ${values.join(", ")}`);
    return values.find((value) => value === text) ?? wrong(name, `one of ${values.join(", ")}`);
  }

  optionalTexts(name: string, meaning: string): string[] {
    const value = this.#object[name] ?? [];
    if (!Array.isArray(value)) return wrong(name, meaning);
    return value.map((element) => (typeof element === "string" ? element : wrong(name, meaning)));
  }

  /** An object, as JSON. */
  object(name: string, meaning: string): string {
    const value = this.#object[name] ?? missing(name, meaning);
    return isObject(value) ? JSON.stringify(value) : wrong(name, meaning);
  }
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    throw new Refusal("M_NOT_JSON", "the body is not JSON");
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function missing(name: string, meaning: string): never {
  throw new Refusal("M_BAD_JSON", `field \`${name}\` is missing: ${meaning}`);
}

function wrong(name: string, meaning: string): never {
  throw new Refusal("M_BAD_JSON", `field \`${name}\` must be ${meaning}`);
}
