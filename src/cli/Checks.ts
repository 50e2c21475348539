/** What `chat doctor` makes of what it has found: pure functions from facts to findings. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Address from "../domain/Address.js"
import type * as Admin from "../domain/Admin.js"
import * as Fingerprint from "../domain/Fingerprint.js"
import * as KeyFile from "../domain/KeyFile.js"
import * as Keys from "../domain/Keys.js"
import * as AdminText from "./AdminText.js"

/** Whether all is well: `warn` is something to know of, `fail` something that keeps the chat from working. */
export const Result = Schema.Literal("ok", "warn", "fail")
export type Result = typeof Result.Type

/** What came of a check, and what to do. */
export const Finding = Schema.Struct({ check: Schema.String, result: Result, message: Schema.String })
export type Finding = typeof Finding.Type

/** What `chat doctor --json` prints: the worst of the results, and all of them. */
export const Report = Schema.TaggedStruct("Report", { result: Result, checks: Schema.Array(Finding) })
export type Report = typeof Report.Type

const finding = (check: string) => (result: Result, message: string) => ({ check, result, message }) satisfies Finding

export const report = (checks: ReadonlyArray<Finding>): Report => {
  const has = (result: Result) => checks.some((each) => each.result === result)
  return { _tag: "Report", result: has("fail") ? "fail" : has("warn") ? "warn" : "ok", checks }
}

/** A finding a line. */
export const format = ({ checks }: Report): string =>
  checks.map(({ check, message, result }) => `${result.padEnd(4)}  ${check.padEnd(9)}  ${message}`).join("\n")

/** Of Node, its version; the oldest that will do is 20. */
export const node = (version: string): Finding => {
  const of = finding("node")
  const major = Number(version.split(".")[0])
  return major >= 20 ? of("ok", `Node ${version}`) : of("fail", `Node ${version} is too old: install Node 20 or newer`)
}

/** Of the key, what was read from `name`, or why nothing was. */
export const key = (
  name: string,
  read: Either.Either<Keys.KeySet, { readonly reason: string; readonly message: string }>
) => {
  const of = finding("key")
  if (Either.isLeft(read)) {
    const { message, reason } = read.left
    return reason === "missing"
      ? of("warn", `there is no key file ${name}: chat s makes one; to join a room that is there, ask for its key`)
      : of("fail", message)
  }
  const { _tag, keys } = read.right
  const older = keys.length === 1 ? "" : ` and ${keys.length - 1} for reading`
  const use = _tag === "RoomKeys" ? `a room key${older}` : `a server key${older}: it serves, and does not join`
  return of("ok", `${name} holds ${use}; its words: ${Fingerprint.format(Keys.serverKeys(read.right)[0])}`)
}

/** Nobody's clock was right who has an earlier one: this program is younger. */
const earliest = Date.UTC(2026, 0, 1)

/** Of the clock: now (ms), and a time by it that is past. Nobody is asked, so one that is ahead may not be found. */
export const clock = (now: number, past: number | undefined): Finding => {
  const of = finding("clock")
  const said = `the clock says ${AdminText.utc(now)}`
  if (now < earliest) return of("fail", `${said}, which is before this program was made: set it`)
  if (past !== undefined && past > now) {
    return of(
      "warn",
      `${said}, but something in the log is of ${AdminText.utc(past)}: it is slow now, or was fast then. Set it`
    )
  }
  return of("ok", said)
}

/** What is where the server is to listen: nothing; a chat of this key, of one of another version, or something else. */
export type Port =
  | { readonly _tag: "Free" }
  | { readonly _tag: "Chat" }
  | { readonly _tag: "OtherVersion"; readonly message: string }
  | { readonly _tag: "Other" }
  /** There is no key to ask with. */
  | { readonly _tag: "Taken" }
  | { readonly _tag: "Denied"; readonly message: string }

export const port = (at: Address.Address, found: Port): Finding => {
  const of = finding("port")
  const where = Address.format(at)
  const choose = "end that one, or choose another port with --port"
  switch (found._tag) {
    case "Free":
      return of("ok", at.port === 0 ? "a free one is taken" : `${where} is free`)
    case "Chat":
      return of("ok", `a chat of this key serves on ${where}`)
    case "OtherVersion":
      return of("warn", `a chat of this key serves on ${where}, of another version: ${found.message}`)
    case "Other":
      return of("fail", `${where} is in use, by something else or by a chat of another key: ${choose}`)
    case "Taken":
      return of("warn", `${where} is in use, and without a key nobody can tell by what: ${choose}`)
    case "Denied":
      return of("fail", found.message)
  }
}

/**
 * Of where others reach a server that listens on `host`, by the addresses of this machine; `answering` are those at which
 * one answers that runs already.
 */
export const addresses = (
  { host, port }: Address.Address,
  own: ReadonlyArray<string>,
  answering?: ReadonlyArray<string>
): Finding => {
  const of = finding("addresses")
  const listed = (hosts: ReadonlyArray<string>) => hosts.map((each) => Address.format({ host: each, port })).join(", ")
  const open = "chat s --host 0.0.0.0 lets others in"
  const then = own.length === 0 ? "but this machine is on no network" : `who then reach ${listed(own)}`
  if (answering !== undefined) {
    return answering.length > 0
      ? of("ok", `tell others ${listed(answering)}`)
      : of("warn", `only this machine reaches the server that runs: end it, and ${open}, ${then}`)
  }
  if (Address.isLocal(host)) return of("warn", `only this machine reaches a server on ${host}: ${open}, ${then}`)
  if (!Address.isEverywhere(host)) return of("ok", `tell others ${listed([host])}`)
  const reached = host === "::" ? own : own.filter((each) => !each.includes(":"))
  return reached.length > 0
    ? of("ok", `tell others ${listed(reached)}`)
    : of("warn", "this machine is on no network: nobody else reaches it")
}

/** Of the database: how it is, and who has it open. */
export type Database =
  | { readonly _tag: "Missing" }
  /** A server has it, which is the one at the socket or not. */
  | { readonly _tag: "InUse"; readonly isOurs: boolean }
  | { readonly _tag: "Unavailable"; readonly message: string }
  /** It was not closed in good order: what is beside it belongs to it. */
  | { readonly _tag: "Unclosed" }
  /** It is whole, but whether it opens under the key is not known without one. */
  | { readonly _tag: "Whole"; readonly head: number | undefined }

export interface Disk {
  readonly bytes: number
  /** Bytes that are free; unknown where the system does not say. */
  readonly free: number | undefined
}

/** Free bytes below which a log is about to be refused, and below which it is time to do something. */
const little = { fail: 16 * 1024 ** 2, warn: 1024 ** 3 }

/** `isElsewhere` where a chat of this key serves here whose socket is not the one that was asked. */
export const database = (file: string, found: Database, { bytes, free }: Disk, isElsewhere = false): Finding => {
  const of = finding("database")
  const room = free === undefined ? "" : `, ${AdminText.size(free)} free on its disk`
  const size = found._tag === "Missing" ? room.replace(/^, /, "; ") : `; ${AdminText.size(bytes)}${room}`
  if (found._tag === "Unavailable") return of("fail", found.message)
  if (found._tag === "InUse" && !found.isOurs && !isElsewhere) {
    return of("fail", `another process keeps its log in ${file}: end it, or name another file with --db`)
  }
  if (free !== undefined && free < little.warn) {
    return of(free < little.fail ? "fail" : "warn", `the disk of ${file} is nearly full: free space on it${size}`)
  }
  switch (found._tag) {
    case "Missing":
      return of("ok", `${file} is not there yet: chat s makes it${size}`)
    case "InUse":
      return found.isOurs
        ? of("ok", `the server that runs here keeps its log in ${file}${size}`)
        : of("warn", `a server keeps its log in ${file}: name its socket with --socket`)
    case "Unclosed":
      return of(
        "warn",
        `${file} was not closed in good order: keep the files beside it, the next chat s takes what is in them${size}`
      )
    case "Whole": {
      const events = found.head === undefined ? "whole" : `whole and of this key, up to event ${found.head}`
      return of("ok", `${file} is ${events}${size}`)
    }
  }
}

/** Files that a server has open beside its connections: its log, its sockets, Node's own. */
const filesBeside = 50

/**
 * Of how many files a server may have open (none where no limit is known), for so many connections. Beyond it the system
 * itself ends who comes, which a server does not even hear of.
 */
export const files = (limit: number | undefined, connections: number): Finding => {
  const of = finding("files")
  if (limit === undefined) return of("ok", "no limit on open files is known")
  if (limit >= connections + filesBeside) return of("ok", `${limit} may be open, enough for ${connections} connections`)
  const most = Number.isFinite(connections) ? `the ${connections} connections` : "the connections without limit"
  return of(
    "warn",
    `${limit} may be open, too few for ${most} that a server takes: raise that with ulimit -n, or set --connections to what it can hold, so that who finds no place is told`
  )
}

/** Of the operator's socket: the server that answers there, none, or why it is not reached. */
export type Socket =
  | { readonly _tag: "Answered"; readonly stats: Admin.Stats; readonly version: string }
  | { readonly _tag: "Nobody" }
  /** Nobody answers, nor could a server that is started: `isNamed` where it then does not start. */
  | { readonly _tag: "Unusable"; readonly reason: string; readonly isNamed: boolean }
  | { readonly _tag: "Unreachable"; readonly message: string }

/** `isElsewhere` as for {@link database}. */
export const socket = (path: string, found: Socket, isElsewhere = false): Finding => {
  const of = finding("socket")
  switch (found._tag) {
    case "Nobody":
      return isElsewhere
        ? of("warn", `no server answers at ${path}, but one runs here: name its socket with --socket`)
        : of("ok", `no server answers at ${path}: none runs here`)
    case "Unusable":
      return of(
        found.isNamed ? "fail" : "warn",
        `chat s cannot make the socket ${path}: ${found.reason}. Name another file with --socket`
      )
    case "Unreachable":
      return of("warn", `chat admin reaches no server at ${path}: ${found.message}`)
    case "Answered": {
      const { members, process, taking, uptime } = found.stats
      const server = `the server at ${path} is up for ${AdminText.duration(uptime)}, with ${members} here`
      if (!taking) return of("fail", `${server}, and its log takes nothing: what it prints says why`)
      return process === undefined || process.version === found.version
        ? of("ok", server)
        : of("warn", `${server}, but it is ${process.version}, and this ${found.version}: start it again`)
    }
  }
}

/** Of the terminal: none where standard input or output is none. */
export type Terminal =
  | { readonly columns: number; readonly depth: number; readonly isDumb: boolean; readonly isUtf8: boolean }
  | undefined

/** Columns below which messages are hard to read. */
const narrow = 40

export const terminal = (found: Terminal): Finding => {
  const of = finding("terminal")
  if (found === undefined) return of("ok", "none here: chat c takes and prints lines, as in a pipe")
  const { columns, depth, isDumb, isUtf8 } = found
  if (!isUtf8) return of("warn", "its locale is not of UTF-8: set LANG to one that is, as C.UTF-8, or letters are lost")
  if (isDumb) return of("warn", "TERM is dumb: nothing is drawn, lines are printed and read")
  if (columns < narrow) return of("warn", `it has ${columns} columns: make it wider`)
  return of("ok", `${columns} columns, UTF-8, ${depth < 4 ? "no colours" : `${2 ** depth} colours`}`)
}

/** Of where a client keeps its files. */
export type State =
  | { readonly _tag: "Missing"; readonly isWritable: boolean }
  | { readonly _tag: "There"; readonly isWritable: boolean; readonly isOpen: boolean }
  | { readonly _tag: "NoDirectory" }
  | { readonly _tag: "Unavailable"; readonly message: string }

export const state = (path: string, found: State): Finding => {
  const of = finding("state")
  const elsewhere = "or set XDG_STATE_HOME to an absolute path where you may"
  switch (found._tag) {
    case "Unavailable":
      return of("fail", found.message)
    case "NoDirectory":
      return of("fail", `${path} is no directory: move it away, ${elsewhere}`)
    case "Missing":
      return found.isWritable
        ? of("ok", `${path} is not there yet: chat c makes it`)
        : of("fail", `${path} is not there, and you may not make it: give its directory to you, ${elsewhere}`)
    case "There":
      if (!found.isWritable) return of("fail", `you may not write in ${path}: run chown on it, ${elsewhere}`)
      return found.isOpen
        ? of("warn", `others may write in ${path}: run chmod go-w ${KeyFile.quote(path)}`)
        : of("ok", `${path} keeps what chat c has yet to send, encrypted`)
  }
}
