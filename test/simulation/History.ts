/** What a run has shown: plain data, written down while it runs, and judged when it has ended. */
import type * as Entry from "../../src/client/Entry.js"

/** An event of a log, as the log holds it or as a client was shown it. */
export interface Event {
  readonly seq: number
  /** All that it says, in one line: two events are the same when this is. */
  readonly what: string
  /** What a Chat says. */
  readonly said?: { readonly member: number; readonly n: number; readonly text: string }
}

/** What a client's `events` gave out. */
export type Shown =
  | ({ readonly _tag: "Event" } & Event)
  | { readonly _tag: "Missing"; readonly after: number; readonly to: number }
  | { readonly _tag: "Back"; readonly after: number; readonly head: number }
  | { readonly _tag: "NewLog"; readonly log: string; readonly member: number; readonly after: number }

/** A client from its start to its end; `client` is who it was, and goes on being when it is started again. */
export interface Life {
  readonly client: string
  /** The log it began in. */
  readonly log: string
  readonly member: number
  readonly shown: Array<Shown>
  /** `present` when the run ended; else how it ended: as a user would end it, by a kill, or by itself. */
  end: "present" | "closed" | "killed" | "failed"
}

/** A call of `say`. */
export interface Saying {
  readonly client: string
  /** No two texts of a run are the same. */
  readonly text: string
  /** Whether the client has to see to it: false once it was killed before it had written the text down. */
  owed: boolean
  /** Whether its client was killed just after the acknowledgement: in a new log, it may say the text once more. */
  mayRepeat: boolean
  /** What `say` came to, if anything: `acknowledged` is the promise that the text is in this log. */
  outcome:
    | { readonly _tag: "Waiting" }
    | { readonly _tag: "Acknowledged"; readonly log: string; readonly seq: number | undefined; readonly at: number }
    | { readonly _tag: "Failed"; readonly reason: string }
}

/** What a call of `history` came to. */
export interface Piece {
  readonly client: string
  readonly log: string
  readonly before: number
  readonly limit: number
  readonly events: ReadonlyArray<Event>
  readonly oldest: number
}

/** A log, with every event it ever held, in the order of their `seq`. */
export interface Log {
  readonly id: string
  readonly events: ReadonlyArray<Event>
  /** The oldest `seq` that it still holds: events before it may be missing. */
  readonly oldest: number
}

export interface History {
  /** In the order they were begun. The newest is last. */
  readonly logs: Array<Log>
  /** In the order of the calls. */
  readonly sayings: Array<Saying>
  /** In the order they began, for each client. */
  readonly lives: Array<Life>
  /** In the order in which they came. */
  readonly pieces: Array<Piece>
  /** What should not happen to anybody: defects, faults, what never came to an end. */
  readonly problems: Array<string>
}

export const make = (): History => ({ logs: [], sayings: [], lives: [], pieces: [], problems: [] })

const person = ({ at, member, nick }: { readonly at: number; readonly member: number; readonly nick: string }) =>
  `${nick} (${member}) at ${at}`

/** What has its place in a log, as an event: one and the same, whoever shows it. */
export const event = (entry: Entry.Logged): Event => {
  const { _tag, seq } = entry
  switch (entry._tag) {
    case "Said": {
      const { me, member, n, text } = entry
      return {
        seq,
        what: `${_tag} ${n} by ${person(entry)}${me ? ", acting" : ""}: ${text}`,
        said: { member, n, text }
      }
    }
    case "Unreadable":
      return { seq, what: `${_tag} (${entry.reason}) ${entry.n} by ${person(entry)}` }
    case "Joined":
      return { seq, what: `${_tag} ${person(entry)}` }
    case "Left":
      return { seq, what: `${_tag} (${entry.reason}) ${person(entry)}` }
    case "Renamed":
      return { seq, what: `${_tag} from ${entry.was} ${person(entry)}` }
    case "Notice":
      return { seq, what: `${_tag} at ${entry.at}: ${entry.text}` }
  }
}

/** What a client shows. */
export const shown = (entry: Entry.Entry): Shown => {
  switch (entry._tag) {
    case "Missing":
      return { _tag: "Missing", after: entry.after, to: entry.to }
    case "Back":
      return { _tag: "Back", after: entry.after, head: entry.head }
    case "NewLog":
      return { _tag: "NewLog", log: entry.log, member: entry.member, after: entry.after }
    default:
      return { _tag: "Event", ...event(entry) }
  }
}
