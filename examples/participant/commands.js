// What a person or a script may type: one command a line.
import { exportRoom } from "./export.js";

/**
 * @typedef {import("./participant.js").Participant} Participant
 */

/**
 * @typedef {object} Command
 * @property {string} usage
 * @property {string} help
 * @property {(session: Session, rest: string) => Promise<string[]>} run gives lines to show
 */

/** A command that makes no sense as it was typed. */
class Misused extends Error {}

/** @type {Record<string, Command>} */
const COMMANDS = {
  join: {
    usage: "join !room:server [server …]",
    help: "join a public room, or one that you are invited to",
    async run(session, rest) {
      const [room, ...via] = words(rest);
      if (!isRoom(room)) throw new Misused();
      await session.participant.join(room, via);
      session.room = room;
      return [];
    },
  },
  say: {
    usage: "say [!room:server] text",
    help: "say something in that room, or in the one that you joined or named last",
    async run(session, rest) {
      const { room, rest: text } = session.roomAnd(rest);
      if (text === "") throw new Misused();
      await session.participant.say(room, text);
      return [];
    },
  },
  invite: {
    usage: "invite [!room:server] @user:server",
    help: "invite somebody",
    async run(session, rest) {
      const { room, rest: user } = session.roomAnd(rest);
      if (!isUser(user)) throw new Misused();
      await session.participant.invite(room, user);
      return [];
    },
  },
  remove: {
    usage: "remove [!room:server] @user:server",
    help: "remove somebody, or take an invite back",
    async run(session, rest) {
      const { room, rest: user } = session.roomAnd(rest);
      if (!isUser(user)) throw new Misused();
      await session.participant.remove(room, user);
      return [];
    },
  },
  leave: {
    usage: "leave [!room:server]",
    help: "leave a room",
    async run(session, rest) {
      await session.participant.leave(session.roomAnd(rest).room);
      return [];
    },
  },
  rooms: {
    usage: "rooms",
    help: "list your rooms and invites",
    async run({ participant }) {
      const rooms = (await participant.rooms()).map(({ roomId, membership }) => `${roomId} ${membership}`);
      const invites = (await participant.invites()).map(({ roomId, sender }) => `${roomId} invite by ${sender}`);
      return [...rooms, ...invites];
    },
  },
  export: {
    usage: "export [!room:server] folder",
    help: "write the room's log and the keys of its servers, for verify_log",
    async run(session, rest) {
      const { room, rest: folder } = session.roomAnd(rest);
      if (folder === "") throw new Misused();
      const { events, log, keys } = await exportRoom(session.participant, room, folder);
      return [`${events} events: ${log}, keys: ${keys}`];
    },
  },
  help: {
    usage: "help",
    help: "this list; `quit` ends the server",
    async run() {
      return Object.values(COMMANDS).map(({ usage, help }) => `${usage.padEnd(36)}${help}`);
    },
  },
};

/** Somebody at the keyboard. */
export class Session {
  /** @param {Participant} participant */
  constructor(participant) {
    this.participant = participant;
    /** @type {string | undefined} the room that is meant when none is named */
    this.room = undefined;
  }

  /**
   * Runs a line: what to show, or an error in words.
   * @param {string} line
   * @returns {Promise<string[]>}
   */
  async run(line) {
    const [, name, rest] = /^\s*(\S+)\s*(.*?)\s*$/.exec(line) ?? ["", "help", ""];
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!command) throw new Error(`there is no command "${name}": type help`);
    try {
      return await command.run(this, rest);
    } catch (error) {
      throw error instanceof Misused ? new Error(`usage: ${command.usage}`) : error;
    }
  }

  /**
   * The room that a line begins with, and the rest; without one the room of the moment.
   * @param {string} line
   */
  roomAnd(line) {
    const [first, ...more] = words(line);
    if (isRoom(first)) {
      this.room = first;
      return { room: first, rest: line.slice(line.indexOf(first) + first.length).trim() };
    }
    if (this.room === undefined) throw new Error("name a room, or join one first");
    return { room: this.room, rest: [first, ...more].join(" ") };
  }
}

/** @param {string} line */
function words(line) {
  return line.trim().split(/\s+/);
}

/** @param {string | undefined} word */
function isRoom(word) {
  return word !== undefined && /^!\S+:\S+$/.test(word);
}

/** @param {string} word */
function isUser(word) {
  return /^@\S+:\S+$/.test(word);
}
