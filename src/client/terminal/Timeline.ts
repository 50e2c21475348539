/**
 * What is shown of a room, entry by entry: with the time, a line where a day begins, a mark where it goes on with what
 * was missed, and those who come and go gathered into one line while they are many. Pure.
 */
import type * as Protocol from "../../domain/Protocol.js"
import type { Entry } from "../Entry.js"
import * as Display from "./Display.js"
import type { Bell, Timestamp } from "./Input.js"
import type { Style } from "./Style.js"

/** What the user has chosen to see. */
export interface Settings {
  readonly timestamp: Timestamp
  readonly bell: Bell
  /** Whether those who join and leave are hidden. */
  readonly isQuiet: boolean
  /** Whose texts are hidden, with the nick they had then. */
  readonly ignored: ReadonlyMap<Protocol.MemberId, string>
}

export const settings: Settings = { timestamp: "time", bell: "mentions", isQuiet: false, ignored: new Map() }

/** Who is put out does not go by itself: that is told as what is said is. */
type Going = Protocol.Left & { readonly reason: Exclude<Protocol.LeftReason, "kicked"> }
type Move = Protocol.Joined | Going | Protocol.Renamed

export interface Timeline {
  /** The day of what was printed last. */
  readonly day: string
  /** Those who have come and gone since then: they are printed when something else is. */
  readonly moves: ReadonlyArray<Move>
  /** Up to this `seq` it is news: the log had grown while this client was away. 0 where the mark is set, or not due. */
  readonly news: number
}

/** A timeline that begins at `now` (ms): today needs no line. */
export const begin = (now: number): Timeline => ({ day: Display.day(now), moves: [], news: 0 })

/** Who reads, and how. */
export interface Reader {
  /** The reader's nick now. */
  readonly nick: string
  readonly settings: Settings
  readonly style: Style
}

/** What is to be printed, and whether the terminal rings. */
export interface Printed {
  readonly timeline: Timeline
  /** Each may hold newlines; remote text in it is harmless. */
  readonly lines: ReadonlyArray<string>
  readonly rings: boolean
}

/** So many who come and go are told one by one. */
const fewMoves = 3

/** So many nicks are named in a row. */
const fewNicks = 5

const stamp = (at: number, { settings, style }: Reader): string => {
  switch (settings.timestamp) {
    case "off":
      return ""
    case "time":
      return style.dim(`${Display.time(at)} `)
    case "datetime":
      return style.dim(`${Display.day(at)} ${Display.time(at)} `)
  }
}

const look = ({ style }: Reader): Display.Look => ({
  nick: (nick, own) => (own ? style.own : style.nick(nick)),
  aside: style.dim,
  warning: style.warning
})

const rule = (text: string, { style }: Reader): string => style.dim(`-- ${text} --`)

/** Where a text names the reader: the nick as a word of its own, in either case. */
const mention = (nick: string): RegExp => {
  const word = nick.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  return new RegExp(`(?<![\\p{L}\\p{N}_])${word}(?![\\p{L}\\p{N}_])`, "giu")
}

/** An entry as a line, without the day. */
const line = (entry: Entry, reader: Reader): string => {
  const isOther = entry._tag === "Said" && !entry.own
  const named = mention(reader.nick)
  const layout = (text: string) => {
    const shown = Display.indented(text)
    return isOther ? shown.replace(named, reader.style.mention) : shown
  }
  const words = Display.format(entry, layout, look(reader))
  return "at" in entry ? stamp(entry.at, reader) + words : words
}

/** A few of them by name, the others by number. */
const names = (nicks: ReadonlyArray<string>): string => {
  const shown = nicks.map(Display.harmless)
  if (shown.length <= fewNicks) return shown.join(", ")
  return `${shown.slice(0, fewNicks).join(", ")} and ${shown.length - fewNicks} others`
}

/** Those who came and went, one by one while they are few; of many, what is left of it in the end. */
const movesOf = ({ moves }: Timeline, reader: Reader): ReadonlyArray<string> => {
  const last = moves.at(-1)
  if (last === undefined || moves.length <= fewMoves) return moves.map((move) => line(move, reader))
  const first = new Map<Protocol.MemberId, Move>()
  const final = new Map<Protocol.MemberId, Move>()
  for (const move of moves) {
    if (!first.has(move.member)) first.set(move.member, move)
    final.set(move.member, move)
  }
  const joined: Array<string> = []
  const left: Array<string> = []
  const passed: Array<string> = []
  const back: Array<string> = []
  const renamed: Array<string> = []
  for (const [member, { _tag, nick }] of final) {
    const before = first.get(member)
    const hasCome = before?._tag === "Joined"
    if (_tag === "Left") (hasCome ? passed : left).push(nick)
    else if (hasCome) joined.push(nick)
    else if (before?._tag === "Left" && before.nick === nick) back.push(nick)
    else renamed.push(`${before?._tag === "Renamed" ? before.was : before?.nick} is now ${nick}`)
  }
  const parts = [
    joined.length > 0 ? `${names(joined)} joined` : "",
    left.length > 0 ? `${names(left)} left` : "",
    passed.length > 0 ? `${names(passed)} came and went` : "",
    back.length > 0 ? `${names(back)} left and came back` : "",
    renamed.length > 0 ? names(renamed) : ""
  ].filter((part) => part !== "")
  return [stamp(last.at, reader) + reader.style.dim(`-- ${parts.join("; ")}`)]
}

/** What is not printed yet, since it may still change: rows for below what is. */
export const open = movesOf

/** Prints what was still open. */
export const close = (timeline: Timeline, reader: Reader): Printed => {
  const [first] = timeline.moves
  if (first === undefined) return { timeline, lines: [], rings: false }
  const day = Display.day(first.at)
  const lines = movesOf(timeline, reader)
  return {
    timeline: { ...timeline, moves: [], day },
    lines: day === timeline.day ? lines : [rule(`${Display.weekday(first.at)}, ${day}`, reader), ...lines],
    rings: false
  }
}

const isMove = (entry: Entry): entry is Move =>
  entry._tag === "Joined" || (entry._tag === "Left" && entry.reason !== "kicked") || entry._tag === "Renamed"

/** Takes in the next entry. */
export const add = (timeline: Timeline, entry: Entry, reader: Reader): Printed => {
  const { settings, style } = reader
  const nothing = { timeline, lines: [], rings: false }
  if (entry._tag === "Back") return { ...nothing, timeline: { ...timeline, news: entry.head } }
  if (isMove(entry)) {
    if (settings.isQuiet && entry._tag !== "Renamed") return nothing
    const [first] = timeline.moves
    // A day in which nothing else happened keeps its own line.
    const closed =
      first === undefined || Display.day(first.at) === Display.day(entry.at) ? nothing : close(timeline, reader)
    const { moves } = closed.timeline
    return { ...closed, timeline: { ...closed.timeline, moves: [...moves, entry] } }
  }
  const isText = entry._tag === "Said" || entry._tag === "Unreadable"
  if (isText && settings.ignored.has(entry.member)) return nothing

  const closed = close(timeline, reader)
  const lines = [...closed.lines]
  let { day, news } = closed.timeline
  if ("at" in entry && Display.day(entry.at) !== day) {
    day = Display.day(entry.at)
    lines.push(rule(`${Display.weekday(entry.at)}, ${day}`, reader))
  }
  const isOthers = entry._tag === "Said" && !entry.own
  const isMissed = isOthers && entry.seq <= news
  if (isMissed) {
    news = 0
    lines.push(style.mention("-- new since you were away --"))
  }
  if (entry._tag === "NewLog") news = 0
  lines.push(line(entry, reader))
  const isNamed = isOthers && !entry.past && mention(reader.nick).test(entry.text)
  const rings = isOthers && !entry.past && (settings.bell === "all" || (settings.bell === "mentions" && isNamed))
  return { timeline: { ...closed.timeline, day, news }, lines, rings }
}

/** Entries on a timeline of their own, which begins with its day. */
export const render = (entries: ReadonlyArray<Entry>, reader: Reader): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let timeline: Timeline = { day: "", moves: [], news: 0 }
  for (const entry of entries) {
    const printed = add(timeline, entry, reader)
    timeline = printed.timeline
    lines.push(...printed.lines)
  }
  return [...lines, ...close(timeline, reader).lines]
}
