/** All that is set for a soak, in one place: what takes minutes in an hour takes seconds here. */
import type { Limits } from "../../src/server/Limits.js"

/** The limits of the server; those that are not here are the standard ones. */
export const server = {
  opening: "5 seconds",
  pingAfter: "1 second",
  silentAfter: "4 seconds",
  grace: "1 second",
  epoch: "5 seconds",
  // Little, so that who stalls is soon behind, and who says much at once has to wait.
  maxUnsent: 64 * 1024,
  slowAfter: "3 seconds",
  burst: 20,
  rate: 20,
  // One less than there are members: for the last to come there is no place.
  connectionsPerAddress: 24
} as const satisfies Partial<Limits>

/** How many members call from one address. */
export const membersAtAddress = 25

/** Strangers, all from one address: more than may be half-open there. */
export const strangers = 10

/** Members that are at the door at a time, that is up to the end of the handshake: on a busy machine fewer come. */
export const atDoor = 8

/** Clients that count what they say, in each round. They call from the server's own address. */
export const honest = 6

/**
 * Bytes of heap, and outside of it, that may be held beyond those after the warm-up: the newest events of the log take one
 * to two MiB, the hellos that are known one at most, and what is compiled differs a little. A leak of any kind, over
 * thousands of connections, is more.
 */
export const growth = 3 * 1024 * 1024

/**
 * How long (ms) somebody waits for anything that the server is to do before he complains: no measure of how fast that is
 * where the machine is busy with other things, but what never comes is found.
 */
export const patience = 120_000

/** How long (ms) the server may take to be without connections and members when all are gone. */
export const parting = 30_000

/** How long (ms) what is there for a moment only may be there then. */
export const moment = 5_000
