// What a user of the packed package writes; checked by the TypeScript compiler and then run.
import { version } from "hublet";

const current: string = version();
console.log(JSON.stringify({ version: current }));
