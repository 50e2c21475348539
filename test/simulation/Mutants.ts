/**
 * Services that are wrong on purpose, each to stand in the place of the right one: a simulation that does not find them
 * is worth nothing. Each breaks a promise in a line or two, and only where something else goes wrong at the same time.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Protocol from "../../src/domain/Protocol.js"
import type { Log } from "../../src/server/Log.js"
import type { MemberRow, Store } from "../../src/server/Store.js"

/** What is put between the right services and those that use them. */
export interface Mutant {
  readonly log?: (log: Log["Type"]) => Log["Type"]
  readonly store?: (store: Store["Type"]) => Store["Type"]
}

/** Says that a batch is kept, and keeps it then. */
export const tellsBeforeCommit: Mutant = {
  store: (store) => ({
    ...store,
    commit: (rows, members) => Effect.asVoid(Effect.forkDaemon(store.commit(rows, members)))
  })
}

/** A server that is started again does not know how many texts it has of whom. */
export const forgetsAcked: Mutant = {
  log: (log) => ({
    ...log,
    members: Effect.map(log.members, (members) => members.map((member) => ({ ...member, acked: 0 })))
  })
}

/** Keeps members with the next batch, and not in the same commit as their events. */
export const keepsMembersLate: Mutant = {
  store: (store) => {
    let late: ReadonlyArray<MemberRow> = []
    return {
      ...store,
      commit: (rows, members) =>
        Effect.suspend(() => {
          const due = late
          late = members
          return store.commit(rows, due)
        })
    }
  }
}

/** Now and then does not yet know of the newest event, so that a session becomes live one event early. */
export const livesEarly: Mutant = {
  log: (log) => {
    let asked = 0
    const hide = (events: ReadonlyArray<Protocol.Event>) => events.slice(0, -1)
    return {
      ...log,
      // Else the Room would write what a session has not read.
      recent: (after) => Option.map(log.recent(after), hide),
      read: (after, limit) =>
        Effect.map(log.read(after, limit), (events) => (++asked % 3 === 0 ? hide(events) : events))
    }
  }
}
