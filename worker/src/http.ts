// Between the platform's requests and the core's.
import type { Answer, HttpResponse } from "hublet";

/** The request target as it was sent: path and query. */
export function targetOf(url: string): string {
  const target = url.replace(/^[a-z]+:\/\/[^/?]*/i, "");
  return target.startsWith("/") ? target : `/${target}`;
}

/** Names and values. The platform joins headers of one name; several `X-Matrix` headers are taken apart again. */
export function headersOf(headers: Headers): [string, string][] {
  return [...headers].flatMap(([name, value]): [string, string][] =>
    name === "authorization" ? value.split(/,\s*(?=X-Matrix\s)/i).map((one) => [name, one]) : [[name, value]],
  );
}

/** An answer that need not be JSON, nor there as a whole. */
export interface TypedResponse {
  status: number;
  body: Uint8Array | ReadableStream<Uint8Array>;
  contentType?: string;
}

export function respond({ status, body, contentType = "application/json" }: TypedResponse): Response {
  return new Response(body, { status, headers: { "content-type": contentType } });
}

/** A refusal in Matrix's shape. */
export function refuse(status: number, errcode: string, error: string, more: object = {}): HttpResponse {
  return { status, body: new TextEncoder().encode(JSON.stringify({ errcode, error, ...more })) };
}

export function tooLarge(limit: number): HttpResponse {
  return refuse(413, "M_TOO_LARGE", `the body must be at most ${limit} bytes`);
}

/** What a machine answered, where a request waits for it. */
export function responseOf(answer: Answer): HttpResponse {
  switch (answer.type) {
    case "response":
      return answer.response;
    case "refused": {
      const { status, errcode, error, hubServer, head, retryAfterMs } = answer;
      return refuse(status, errcode, error, { hub_server: hubServer, head, retry_after_ms: retryAfterMs });
    }
    default:
      return unavailable();
  }
}

/** Refuses what has to wait so many milliseconds; nothing where that is 0. */
export function tooMany(wait: number): HttpResponse | undefined {
  return wait === 0 ? undefined : refuse(429, "M_LIMIT_EXCEEDED", "too many requests; wait", { retry_after_ms: wait });
}

export function unavailable(): HttpResponse {
  return refuse(503, "M_UNKNOWN", "not available at the moment; try again");
}
