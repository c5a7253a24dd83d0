// What a user of the packed package writes; checked by the TypeScript compiler and then run.
import { canonicalJson, type ErrorCode, HubletError, version } from "hublet";

function refusal(text: string): ErrorCode {
  try {
    canonicalJson(text);
  } catch (error) {
    if (error instanceof HubletError) return error.code;
  }
  throw new Error(`not refused: ${text}`);
}

const current: string = version();
const canonical: string = canonicalJson('{ "b": 1e2, "a": "\\u0041" }');
const refused: ErrorCode[] = [refusal('{"a":1,"a":2}'), refusal("[".repeat(600))];
console.log(JSON.stringify({ version: current, canonical, refused }));
