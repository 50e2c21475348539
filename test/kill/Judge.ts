/**
 * The judge of a run: from what the programs wrote, and what the log holds in the end, it makes the history that the
 * simulation's checker knows how to judge. Pure.
 */
import * as Display from "../../src/client/terminal/Display.js"
import * as Checker from "../simulation/Checker.js"
import * as History from "../simulation/History.js"
import type { OpenedLog } from "./Disk.js"
import * as Written from "./Written.js"

/** What a program left behind in one life. */
export interface Remains {
  readonly stdout: string
  readonly stderr: string
  readonly exit: number | NodeJS.Signals | null | undefined
}

/** A client in one life. */
export interface ClientLife extends Remains {
  readonly client: string
  /** A server listened as long as it lived. */
  readonly wasServed: boolean
}

export interface Observations {
  readonly log: OpenedLog
  /** In the order they were written. */
  readonly texts: ReadonlyArray<Written.Written>
  /** In the order they began, for each client. */
  readonly clients: ReadonlyArray<ClientLife>
  readonly servers: ReadonlyArray<Remains>
  /** What else has gone wrong. */
  readonly problems: ReadonlyArray<string>
}

export interface Judgement {
  readonly violations: ReadonlyArray<Checker.Violation>
  readonly acknowledged: number
  readonly logged: number
  /** Texts that died with their client before it had kept them: nobody ever saw them. */
  readonly unkept: number
  /** The same, of clients that no server had let in: they had not even read them. */
  readonly unread: number
  /** Texts that their client, killed, had not shown yet, and that are in the log since its files had them. */
  readonly survived: number
  /** Events that a client showed again in a later life. */
  readonly again: number
}

/** The whole lines of an output, and what follows the last of them. */
const linesOf = (output: string): readonly [ReadonlyArray<string>, string] => {
  const all = output.split("\n")
  return [all.slice(0, -1), all.at(-1) ?? ""]
}

/** How many events a line says are missing. */
const missing = (line: string): number | undefined => {
  const count = /^-- (\d+) events are missing here: /.exec(line)?.[1]
  return count === undefined ? undefined : Number(count)
}

/** Gives lines their places in the log. */
class Places {
  private readonly printed: ReadonlyArray<string>
  private readonly events: ReadonlyArray<History.Event>
  /** The places of texts, each of which is one of a kind. */
  private readonly texts = new Map<string, number>()

  constructor({ entries }: OpenedLog) {
    this.printed = entries.map((entry) => Display.format(entry, Display.oneLine))
    this.events = entries.map(History.event)
    for (const [index, { _tag, seq }] of entries.entries()) {
      const line = this.printed[index]
      if (_tag === "Said" && line !== undefined && !this.texts.has(line)) this.texts.set(line, seq)
    }
  }

  /** The place of the first line: the first text tells, else it is what suits a client that has seen up to `reached`. */
  private start(shown: ReadonlyArray<string>, reached: number): number {
    const relative: Array<readonly [string, number]> = []
    let next = 0
    for (const line of shown) {
      const seq = this.texts.get(line)
      if (seq !== undefined) return seq - next
      const count = missing(line)
      if (count === undefined) relative.push([line, next])
      next += count ?? 1
    }
    for (let seq = reached + 1; seq > 0; seq--) {
      if (relative.every(([line, offset]) => this.printed[seq - 1 + offset] === line)) return seq
    }
    return reached + 1
  }

  /** What the lines of a life show, of a client that had been shown the log up to `reached` before. */
  shown(shown: ReadonlyArray<string>, reached: number): Array<History.Shown> {
    let next = this.start(shown, reached)
    return shown.map((line): History.Shown => {
      const count = missing(line)
      if (count !== undefined) {
        next += count
        return { _tag: "Missing", after: next - 1 - count, to: next - 1 }
      }
      // Where another line is next, the checker is to see this one where it belongs, or as what it is.
      const seq = this.printed[next - 1] === line ? next : (this.texts.get(line) ?? next)
      const event = this.printed[seq - 1] === line ? this.events[seq - 1] : undefined
      next = seq + 1
      return { _tag: "Event", ...(event ?? { seq, what: line }) }
    })
  }
}

const reconnecting = `chat: ${Display.reconnecting}`

/** What a client may say that was started while there was no server, or lost it before it was let in. */
const isNotIn = (complaint: string): boolean =>
  [
    /^chat: nobody answers at /,
    /^chat: the connection (to the server )?was lost/,
    /^chat: \S+ closed the connection before it let you in/
  ].some((known) => known.test(complaint))

/** What is wrong with how a client ended. */
const clientProblems = ({ exit, stderr, stdout, wasServed }: ClientLife, isLast: boolean): ReadonlyArray<string> => {
  const [shown, rest] = linesOf(stdout)
  const complaints = linesOf(stderr)[0].filter((line) => line !== reconnecting)
  const surprises = complaints.filter((line) => !isNotIn(line))
  const problems = surprises.map((line) => `said "${line}"`)
  if (exit === "SIGKILL") return problems
  if (rest !== "") problems.push(`ended in the middle of the line "${rest}"`)
  if (exit === 0 ? !isLast || complaints.length > 0 : exit !== 1 || shown.length > 0 || wasServed) {
    problems.push(`ended with ${String(exit)}, saying "${complaints.join(" / ")}"`)
  }
  return problems
}

/** What is wrong with how a server ended: it has nothing to complain of, whatever happens to its clients. */
const serverProblems = ({ exit, stderr }: Remains, isLast: boolean): ReadonlyArray<string> => [
  ...linesOf(stderr)[0].map((line) => `said "${line}"`),
  ...(exit === "SIGKILL" || (exit === 0 && isLast) ? [] : [`ended with ${String(exit)}`])
]

const groupBy = <A>(items: ReadonlyArray<A>, of: (item: A) => string): ReadonlyMap<string, ReadonlyArray<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const item of items) {
    const group = groups.get(of(item))
    if (group === undefined) groups.set(of(item), [item])
    else group.push(item)
  }
  return groups
}

/** The members by their nicks, which nobody changes. */
const membersOf = ({ entries }: OpenedLog, problems: Array<string>): ReadonlyMap<string, number> => {
  const members = new Map<string, number>()
  for (const entry of entries) {
    if (entry._tag === "Notice") continue
    const { member, nick } = entry
    const known = members.get(nick)
    if (known === undefined) members.set(nick, member)
    else if (known !== member) problems.push(`event ${entry.seq} is of ${nick}, ${member}, who was ${known} before`)
  }
  return members
}

/** Takes down what a client has shown over its lives, and how often it was something that it had shown before. */
const tellLives = (
  { lives: told, problems }: History.History,
  { log, places }: { readonly log: OpenedLog; readonly places: Places },
  {
    client,
    lives,
    member
  }: { readonly client: string; readonly lives: ReadonlyArray<ClientLife>; readonly member: number }
): number => {
  let again = 0
  let reached = 0
  for (const [index, life] of lives.entries()) {
    const isLast = index === lives.length - 1
    problems.push(...clientProblems(life, isLast).map((problem) => `${client} (life ${index + 1}) ${problem}`))
    const shown = places.shown(linesOf(life.stdout)[0], reached)
    const end = life.exit === "SIGKILL" ? "killed" : life.exit === 0 ? "closed" : "failed"
    told.push({ client, log: log.id, member, shown, end })
    const seqs = shown.flatMap((item) => (item._tag === "Event" ? [item.seq] : []))
    // It has joined by that event, and is owed all from there on.
    if (reached === 0 && (seqs[0] ?? 0) > member) {
      problems.push(`${client} was shown nothing before event ${seqs[0]}, and has joined by event ${member}`)
    }
    again += seqs.filter((seq) => seq <= reached).length
    reached = seqs.reduce((most, seq) => Math.max(most, seq), reached)
  }
  // Who leaves is shown that it has, and with it all that was before.
  const left = log.entries.findLast((entry) => entry._tag === "Left" && entry.member === member)?.seq
  if (left === undefined || reached < left) {
    problems.push(`${client} was shown nothing after event ${reached}, and has left by event ${left}`)
  }
  return again
}

/** What a run has shown, and what it comes to. */
export const judge = ({ clients, log, problems, servers, texts }: Observations): Judgement => {
  const history = History.make()
  history.logs.push({ id: log.id, events: log.entries.map(History.event), oldest: 1 })
  history.problems.push(...problems)
  for (const [index, server] of servers.entries()) {
    const found = serverProblems(server, index === servers.length - 1)
    history.problems.push(...found.map((problem) => `the server (life ${index + 1}) ${problem}`))
  }

  const members = membersOf(log, history.problems)
  const livesOf = groupBy(clients, ({ client }) => client)
  const places = new Places(log)
  let again = 0
  for (const [client, lives] of livesOf) {
    again += tellLives(history, { log, places }, { client, lives, member: members.get(client) ?? 0 })
  }

  const shown = new Set(clients.flatMap(({ stdout }) => linesOf(stdout)[0]))
  const logged = new Set<string>(log.entries.flatMap((entry) => (entry._tag === "Said" ? [entry.text] : [])))
  const count = { acknowledged: 0, survived: 0, unkept: 0, unread: 0 }
  for (const written of texts) {
    const { at, claim, client, life, text } = written
    const exit = livesOf.get(client)?.[life]?.exit
    const isAcknowledged = shown.has(Written.line(written))
    // A client that was killed has to see to what it had kept, and one that was not let in has read nothing.
    const owed = isAcknowledged || claim !== undefined || exit === 0
    if (isAcknowledged) count.acknowledged += 1
    if (claim === "kept" && logged.has(text)) count.survived += 1
    if (!owed && !logged.has(text)) count[exit === "SIGKILL" ? "unkept" : "unread"] += 1
    history.sayings.push({
      client,
      text,
      owed,
      // There is one log only.
      mayRepeat: false,
      // Nobody can tell when it was first shown, nor asks.
      outcome: isAcknowledged ? { _tag: "Acknowledged", log: log.id, seq: undefined, at } : { _tag: "Waiting" }
    })
  }
  return { violations: Checker.check(history), ...count, logged: logged.size, again }
}
