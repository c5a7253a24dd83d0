// The front of the hub: it decides which object a request belongs to and passes it on.
export { Room } from "./room.js";

interface Env {
  ROOM: DurableObjectNamespace;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/_hublet/version") {
      return env.ROOM.get(env.ROOM.idFromName("version")).fetch(request);
    }
    return Response.json({ errcode: "M_UNRECOGNIZED", error: "no such endpoint" }, { status: 404 });
  },
} satisfies ExportedHandler<Env>;
