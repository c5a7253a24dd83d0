// Every request of a test has a connection of its own: one that is used again may be closed by the hub in that moment, and then nobody knows whether the request was taken.
export const FRESH = { connection: "close" };
