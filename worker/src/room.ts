// One room: a single writer by the platform's construction, as it is by the protocol's.
import { DurableObject } from "cloudflare:workers";
import { version } from "hublet";

export class Room extends DurableObject {
  override fetch(): Response {
    return Response.json({ name: "hublet", version: version() });
  }
}
