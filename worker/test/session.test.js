// A session of a link over HTTP, in a time of its own.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { built } from "./support/built.js";

const { PATIENCE, Session, WAIT } = await built("session");
const { answer } = await built("link");

const frame = (header) => ({ kind: "proof", header });

/** A session, and how often it has said that it is over. */
function begun(t) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const ended = t.mock.fn();
  return { session: new Session("a.key.invalid", ended), ended };
}

/** What comes or fails when the test says so. */
function later() {
  let settle;
  const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
}

const next = async (session) => JSON.parse(await session.next());

test("frames are given again until they are confirmed", async (t) => {
  const { session } = begun(t);
  session.post(frame("a"));
  session.post(frame("b"));
  assert.deepEqual(await next(session), { first: 1, frames: [frame("a"), frame("b")] });
  assert.equal(session.confirm(1), true);
  assert.deepEqual(await next(session), { first: 2, frames: [frame("b")] });
  assert.equal(session.confirm(3), false, "never sent");
  assert.equal(session.confirm(0), true, "an old list says less");
  assert.equal(session.confirm(2), true);
  const waiting = next(session);
  session.post(frame("c"));
  assert.deepEqual(await waiting, { first: 3, frames: [frame("c")] });
});

test("what comes twice is taken once, and what misses something not at all", (t) => {
  const { session } = begun(t);
  assert.deepEqual(session.take(1, ["a", "b"]), ["a", "b"]);
  assert.deepEqual(session.take(1, ["a", "b"]), []);
  assert.deepEqual(session.take(2, ["b", "c"]), ["c"]);
  assert.deepEqual(session.take(1, ["a"]), []);
  assert.equal(session.take(5, ["e"]), undefined);
  assert.deepEqual(session.take(4, []), []);
  assert.deepEqual(session.take(4, ["d"]), ["d"]);
});

test("a POST waits so long and no longer, and gives its place to a later one", async (t) => {
  const { session, ended } = begun(t);
  const [earlier, later] = [next(session), next(session)];
  assert.deepEqual(await earlier, { first: 1, frames: [] });
  t.mock.timers.tick(WAIT);
  assert.deepEqual(await later, { first: 1, frames: [] });
  assert.equal(ended.mock.callCount(), 0);
});

test("who posts no more is gone, whatever we still have for it", async (t) => {
  const { session, ended } = begun(t);
  t.mock.timers.tick(PATIENCE - 1);
  session.stay();
  t.mock.timers.tick(PATIENCE - 1);
  session.post(frame("a"));
  assert.equal(session.isOpen, true);
  t.mock.timers.tick(1);
  assert.deepEqual([session.isOpen, ended.mock.callCount()], [false, 1]);
  assert.equal(session.post(frame("b")), false);
});

test("who is still sending a body is not gone, and has all its time once that has come or is cut off", async (t) => {
  for (const end of ["resolve", "reject"]) {
    const { session, ended } = begun(t);
    const bodies = [later(), later()];
    const read = bodies.map(({ promise }) => session.read(promise).catch((error) => error));
    t.mock.timers.tick(3 * PATIENCE);
    bodies[0].resolve();
    await read[0];
    t.mock.timers.tick(3 * PATIENCE);
    assert.equal(session.isOpen, true, "another is coming still");
    bodies[1][end]("cut off");
    await read[1];
    t.mock.timers.tick(PATIENCE - 1);
    assert.equal(session.isOpen, true);
    t.mock.timers.tick(1);
    assert.deepEqual([session.isOpen, ended.mock.callCount()], [false, 1]);
    t.mock.timers.reset();
  }
});

test("a poll ends in time while a body is coming, and the session does not", async (t) => {
  const { session } = begun(t);
  const waiting = next(session);
  const body = later();
  const read = session.read(body.promise);
  t.mock.timers.tick(WAIT);
  assert.deepEqual(await waiting, { first: 1, frames: [] });
  t.mock.timers.tick(PATIENCE);
  assert.equal(session.isOpen, true);
  body.resolve("body");
  assert.equal(await read, "body");
  session.end();
});

test("whoever waits is told when a session ends", async (t) => {
  const { session, ended } = begun(t);
  const waiting = session.next();
  session.end();
  session.end();
  assert.deepEqual([await waiting, ended.mock.callCount()], [undefined, 1]);
});

test("what waits has an end, and a list too", async (t) => {
  const { session } = begun(t);
  const large = frame("x".repeat(5 * 1024 * 1024));
  let taken = 0;
  while (session.post(large)) taken++;
  assert.equal(taken, 6, "32 Mi characters hold so many, and the one that would go beyond is refused");
  assert.equal((await next(session)).frames.length, 1);
  session.confirm(1);
  assert.equal(session.post(large), true, "there is room again");
});

test("an answer that has no room is said to be too large", async (t) => {
  const { session } = begun(t);
  const body = new Uint8Array(20 * 1024 * 1024).fill(0x20);
  for (const id of ["a", "b"]) answer(session, id, { status: 200, body });
  session.confirm(1);
  const [{ body: error, ...response }] = (await next(session)).frames;
  assert.deepEqual(response, { kind: "response", id: "b", to: "a.key.invalid", status: 413 });
  assert.equal(JSON.parse(error).errcode, "M_TOO_LARGE");
});

test("ten thousand POSTs leave nothing behind", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  mock.timers.reset();
  const before = timers();
  const session = new Session("a.key.invalid", () => {});
  let waiting = session.next();
  for (let number = 1; number <= 10_000; number++) {
    session.post(frame("a"));
    const { first, frames } = JSON.parse(await waiting);
    assert.deepEqual([first, frames.length], [number, 1]);
    session.confirm(number);
    waiting = session.next();
  }
  assert.equal(timers(), before + 1);
  session.end();
  assert.equal(await waiting, undefined);
  assert.equal(timers(), before);
});
