// Where a server is reached (spec, section 6, Server names to addresses).

/**
 * The base address of a server, without a slash at its end.
 * In development that is `localhost` with a port and nothing else, so that a hub under test never speaks to the world; elsewhere it is never `localhost`.
 */
export function baseOf(server: string, isDevelopment: boolean): string {
  const [host, port] = server.split(":");
  if (isDevelopment) {
    if (host !== "localhost" || port === undefined) throw new Error("in development only `localhost:PORT` is reached");
    return `http://${server}`;
  }
  if (host === "localhost") throw new Error("`localhost` is reached in development only");
  if (port === undefined) throw new Error("names without a port are not looked up yet; only `host:port` is reached");
  return `https://${server}`;
}
