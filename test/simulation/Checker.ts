/** The judge of a run: what the design promises (its section 6), as rules over a history. */
import type { Event, History, Life, Log, Piece, Saying } from "./History.js"

/** The rules, each named by what breaks it. */
export type Rule =
  /** An acknowledged text is not in the log it was acknowledged for, or not where that was said. */
  | "lost"
  /** A text that its client had to see to is in no log. */
  | "forgotten"
  /** A text is in a log twice, or again in a later one although it was acknowledged. */
  | "doubled"
  /** A log holds a text that nobody said, or that somebody else said. */
  | "invented"
  /** Events of a log, or the texts of a member in it, are not numbered 1, 2, 3 … */
  | "numbers"
  /** The texts of a client are not in the order in which it said them. */
  | "order"
  /** A client was shown an event that is not the next one, or not the one that the log holds. */
  | "shown"
  /** A client started again was not shown an event that it had not been shown before. */
  | "skipped"
  /** A client was told that events are missing which the log still has. */
  | "missing"
  /** A client that was there at the end had not been shown the end. */
  | "behind"
  /** A client that asked for older events got others, or not all. */
  | "fetched"
  /** A text could not be read. */
  | "unreadable"
  /** What must not happen to anybody has happened. */
  | "problem"

export interface Violation {
  readonly rule: Rule
  readonly detail: string
}

type Find = (rule: Rule, detail: string) => void

const quote = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)

/** Where texts are: the logs and places of each. */
const places = (logs: ReadonlyArray<Log>) => {
  const found = new Map<string, Array<{ readonly log: number; readonly event: Event }>>()
  for (const [log, { events }] of logs.entries()) {
    for (const event of events) {
      if (event.said === undefined) continue
      const of = found.get(event.said.text)
      if (of === undefined) found.set(event.said.text, [{ log, event }])
      else of.push({ log, event })
    }
  }
  return found
}

const checkNumbers = ({ events, id }: Log, find: Find) => {
  const texts = new Map<number, number>()
  for (const [index, { said, seq }] of events.entries()) {
    if (seq !== index + 1) return find("numbers", `log ${id} holds event ${seq} in place ${index + 1}`)
    if (said === undefined) continue
    const before = texts.get(said.member) ?? 0
    if (said.n !== before + 1) find("numbers", `text ${said.n} of member ${said.member} follows its text ${before}`)
    texts.set(said.member, said.n)
  }
}

/** Texts: each that was acknowledged or is owed is there, once, its author's, and in the order they were said. */
const checkTexts = ({ lives, logs, sayings }: History, find: Find) => {
  const found = places(logs)
  const authors = new Map<string, string>()
  for (const { client, log, member, shown } of lives) {
    authors.set(`${log} ${member}`, client)
    for (const item of shown) if (item._tag === "NewLog") authors.set(`${item.log} ${item.member}`, client)
  }
  const sayingOf = new Map<string, { readonly saying: Saying; readonly order: number }>()
  for (const [order, saying] of sayings.entries()) {
    sayingOf.set(saying.text, { saying, order })
    const at = found.get(saying.text) ?? []
    const name = `${quote(saying.text)} of ${saying.client}`
    const { outcome } = saying
    if (outcome._tag === "Acknowledged") {
      const place = at.find(({ log }) => logs[log]?.id === outcome.log)
      if (place === undefined) find("lost", `${name} was acknowledged and is not in the log`)
      else if (outcome.seq !== undefined && outcome.seq !== place.event.seq) {
        find("lost", `${name} was acknowledged as event ${outcome.seq} and is event ${place.event.seq}`)
      }
    } else if (saying.owed && at.length === 0) {
      find("forgotten", `${name} is in no log`)
    }
    for (const [index, { event, log }] of at.entries()) {
      const earlier = at[index - 1]
      if (earlier === undefined) continue
      const isKnown = outcome._tag === "Acknowledged" && outcome.log === logs[earlier.log]?.id && !saying.mayRepeat
      if (earlier.log === log || isKnown) {
        find("doubled", `${name} is event ${earlier.event.seq} and event ${event.seq}`)
      }
    }
  }
  for (const { events, id } of logs) {
    const newest = new Map<string, number>()
    for (const { said, seq } of events) {
      if (said === undefined) continue
      const known = sayingOf.get(said.text)
      const author = authors.get(`${id} ${said.member}`)
      if (known === undefined || (author !== undefined && author !== known.saying.client)) {
        find("invented", `event ${seq} has member ${said.member} say ${quote(said.text)}`)
        continue
      }
      const { client } = known.saying
      if (known.order < (newest.get(client) ?? -1))
        find("order", `${quote(said.text)} of ${client} came late, as ${seq}`)
      newest.set(client, Math.max(known.order, newest.get(client) ?? -1))
    }
  }
}

/** Lives of one client: each was shown the log without a gap, and all of them together as well. */
const checkLives = (client: string, lives: ReadonlyArray<Life>, logs: ReadonlyMap<string, Log>, find: Find) => {
  /** The newest event that any life was shown, by log. */
  const reached = new Map<string, number>()
  for (const [index, life] of lives.entries()) {
    const name = `${client} (life ${index + 1})`
    let log = life.log
    /** The event that comes next; the first may be any that was not shown before. */
    let next: number | undefined
    for (const item of life.shown) {
      const last = reached.get(log)
      switch (item._tag) {
        case "Missing": {
          const expected = next ?? item.after + 1
          if (item.after + 1 !== expected || item.to <= item.after) {
            find("shown", `${name} misses what is after ${item.after} up to ${item.to} where ${expected} was next`)
          }
          if (item.to >= (logs.get(log)?.oldest ?? 1)) {
            find("missing", `${name} misses ${item.after + 1} to ${item.to}, which the log has`)
          }
          if (last !== undefined && item.after > last) find("skipped", `${name} misses more than it says: ${last + 1}`)
          next = item.to + 1
          reached.set(log, Math.max(last ?? 0, item.to))
          break
        }
        case "Back":
          if (item.head <= item.after || (next !== undefined && item.after + 1 !== next)) {
            find("shown", `${name} is told of what is after ${item.after} up to ${item.head}`)
          }
          break
        case "NewLog":
          log = item.log
          next = item.after + 1
          break
        case "Event": {
          if (next !== undefined && item.seq !== next) {
            find("shown", `${name} was shown event ${item.seq} where ${next} was next`)
          }
          if (next === undefined && last !== undefined && item.seq > last + 1) {
            find("skipped", `${name} was shown event ${item.seq}, and ${last + 1} never`)
          }
          const held = logs.get(log)?.events[item.seq - 1]
          if (held?.what !== item.what) {
            find("shown", `${name} was shown "${item.what}" as event ${item.seq}, which is "${held?.what}"`)
          }
          if (item.what.startsWith("Unreadable")) find("unreadable", `${name} was shown "${item.what}"`)
          next = item.seq + 1
          reached.set(log, Math.max(last ?? 0, item.seq))
          break
        }
      }
    }
    if (life.end === "present") {
      const head = logs.get(log)?.events.length ?? 0
      const seen = reached.get(log) ?? 0
      if (seen < head) find("behind", `${name} was shown no more than event ${seen} of ${head}`)
    }
  }
}

/** Older events, of which the client had been shown those up to `before`: what the log holds, and all that it then held. */
const checkPiece = ({ before, client, events, limit, log: id, oldest }: Piece, log: Log | undefined, find: Find) => {
  const name = `${client}, who asked log ${id} for ${limit} before ${before},`
  const first = before - events.length
  for (const [index, { seq, what }] of events.entries()) {
    const held = log?.events[seq - 1]
    if (seq !== first + index || held?.what !== what) {
      return find("fetched", `${name} got "${what}" as event ${seq} in place ${first + index}: "${held?.what}"`)
    }
  }
  if (oldest > (log?.oldest ?? 1)) find("fetched", `${name} was told that nothing is left before ${oldest}`)
  if (events.length > limit || (events.length < limit && first > oldest)) {
    find("fetched", `${name} got ${events.length}, where the oldest was ${oldest}`)
  }
}

/** All that a history shows to be broken. */
export const check = (history: History): ReadonlyArray<Violation> => {
  const violations: Array<Violation> = []
  const find: Find = (rule, detail) => violations.push({ rule, detail })
  for (const problem of history.problems) find("problem", problem)
  for (const log of history.logs) checkNumbers(log, find)
  checkTexts(history, find)
  const logs = new Map(history.logs.map((log) => [log.id, log]))
  const clients = new Map<string, Array<Life>>()
  for (const life of history.lives) {
    const of = clients.get(life.client)
    if (of === undefined) clients.set(life.client, [life])
    else of.push(life)
  }
  for (const piece of history.pieces) checkPiece(piece, logs.get(piece.log), find)
  for (const [client, lives] of clients) checkLives(client, lives, logs, find)
  return violations
}
