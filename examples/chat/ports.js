// Three ports: those that were asked for, if nothing listens there, or any that are free.
import { createServer } from "node:net";

/**
 * @param {number[]} wanted 0 for any free one
 * @returns {Promise<number[]>}
 */
export async function free(wanted) {
  // Held all at once, so that no free one is given out twice.
  /** @type {import("node:net").Server[]} */
  const held = [];
  try {
    for (const port of wanted) held.push(await hold(port));
    return held.map((server) => /** @type {import("node:net").AddressInfo} */ (server.address()).port);
  } finally {
    await Promise.all(held.map((server) => new Promise((closed) => server.close(closed))));
  }
}

/**
 * @param {number} port
 * @returns {Promise<import("node:net").Server>}
 */
function hold(port) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => {
      const isTaken = /** @type {NodeJS.ErrnoException} */ (error).code === "EADDRINUSE";
      reject(isTaken ? new Error(`port ${port} is taken: end what listens there, or choose others (PORTS=8790,8791,8792)`) : error);
    });
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}
