/** `chat admin`: what the operator of a server on this machine has it do, over the server's socket. */
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Failure from "../client/Failure.js"
import * as Admin from "../domain/Admin.js"
import * as Protocol from "../domain/Protocol.js"
import * as Seal from "../domain/Seal.js"
import * as Transport from "../domain/Transport.js"
import * as TransportTcp from "../domain/TransportTcp.js"
import * as AdminText from "./AdminText.js"
import { Incomplete, ofConfig, UsageError } from "./Failure.js"
import * as KeySource from "./KeySource.js"
import { reportJson } from "./Process.js"
import * as Socket from "./Socket.js"
import * as Words from "./Words.js"

export interface AdminOptions {
  /** The socket of the server. */
  readonly socket: Option.Option<string>
  /** The server's key file, which says where the socket is unless it is named. */
  readonly keyFile: Option.Option<string>
  /** Whether answers, and failures, are printed as JSON. */
  readonly json: boolean
}

export interface MemberOptions extends AdminOptions {
  /** The member: its nick, or `@` and its id. */
  readonly who: string
}

export interface BanOptions extends MemberOptions {
  readonly ticketOnly: boolean
}

export interface SayOptions extends AdminOptions, Words.Words {}

/** The server has not done what it was asked to do, or has not said so. */
class AdminError extends Data.TaggedError("AdminError")<{ readonly reason: string; readonly message: string }> {}

/** How long the server may take for an answer: as long as a disk may to sync. */
const patience = "30 seconds"

const unanswered = new AdminError({
  reason: "unanswered",
  message: "the server ended, or stands still, before it had answered: its log line tells whether it was done"
})
const unexpected = new AdminError({
  reason: "request",
  message: "the answer is to something else: the server is of another version"
})

/** Asks the server that has the socket, and gives the answer if it is one of `tag`. */
export const ask = Effect.fn("Admin.ask")(function* <Tag extends Exclude<Admin.Answer["_tag"], "Failed">>(
  options: Pick<AdminOptions, "socket" | "keyFile">,
  request: Admin.Request,
  tag: Tag
) {
  const source = yield* Effect.mapError(KeySource.find(options.keyFile), ofConfig)
  const path = yield* Socket.find(options.socket, source)
  const answer = yield* Effect.gen(function* () {
    const { dial } = yield* Transport.Dialer
    const transport = yield* dial
    transport.trust()
    transport.write(Admin.encodeRequest(request))
    const [line] = yield* Effect.catchAll(transport.next, () => unanswered)
    return yield* line === undefined ? unanswered : Admin.decodeAnswer(line)
  }).pipe(
    Effect.scoped,
    Effect.provide(TransportTcp.layerDialer({ path })),
    Effect.timeoutFail({ duration: patience, onTimeout: () => unanswered })
  )
  if (answer._tag === "Failed") return yield* new AdminError(answer)
  const isExpected = (given: Admin.Answer): given is Extract<Admin.Answer, { readonly _tag: Tag }> => given._tag === tag
  return isExpected(answer) ? answer : yield* unexpected
})

/**
 * Prints an answer: in words, or as JSON, and then also why there is none. What was called in a way that cannot be obeyed
 * is told in words, whatever was asked for.
 */
const tell = <A extends Admin.Answer, E extends { readonly reason: string; readonly message: string }, R>(
  { json }: AdminOptions,
  asking: Effect.Effect<A, E | UsageError, R>,
  words: (answer: A) => string
) =>
  asking.pipe(
    Effect.flatMap((answer) => Console.log(json ? JSON.stringify(answer) : words(answer))),
    Effect.catchIf(
      (error): error is E => json && !(error instanceof UsageError),
      ({ message, reason }) =>
        Effect.zipRight(reportJson({ _tag: "Failed", reason, message } satisfies Admin.Failed), new Incomplete())
    )
  )

const checkWho = ({ who }: MemberOptions) =>
  who.isWellFormed() && who !== "" && who.length <= Admin.maxWho
    ? Effect.void
    : new UsageError({ message: `a nick has 1 to ${Admin.maxWho} characters` })

export const kick = Effect.fn("Admin.kick")(function* (options: MemberOptions) {
  yield* checkWho(options)
  yield* tell(options, ask(options, { _tag: "Kick", who: options.who }, "Kicked"), AdminText.kicked)
})

export const ban = Effect.fn("Admin.ban")(function* (options: BanOptions) {
  const { ticketOnly, who } = options
  yield* checkWho(options)
  yield* tell(options, ask(options, { _tag: "Ban", who, ticketOnly }, "Banned"), (banned) =>
    AdminText.banned(banned, ticketOnly)
  )
})

export const unban = Effect.fn("Admin.unban")(function* (options: MemberOptions) {
  yield* checkWho(options)
  yield* tell(options, ask(options, { _tag: "Unban", who: options.who }, "Unbanned"), AdminText.unbanned)
})

/** All of a list, page by page. */
const all = Effect.fnUntraced(function* <A extends { readonly member: Protocol.MemberId }, E, R>(
  page: (
    after: Protocol.Position
  ) => Effect.Effect<{ readonly entries: ReadonlyArray<A>; readonly more: boolean }, E, R>
) {
  const found: Array<A> = []
  while (true) {
    const { entries, more } = yield* page(found.at(-1)?.member ?? Protocol.start)
    found.push(...entries)
    if (!more || entries.length === 0) return found
  }
})

export const bans = Effect.fn("Admin.bans")(function* (options: AdminOptions) {
  const asking = all((after) =>
    Effect.map(ask(options, { _tag: "ListBans", after }, "BanList"), ({ bans, more }) => ({ entries: bans, more }))
  )
  const list = Effect.map(asking, (bans): Admin.BanList => ({ _tag: "BanList", bans, more: false }))
  yield* tell(options, list, AdminText.bans)
})

export const names = Effect.fn("Admin.names")(function* (options: AdminOptions) {
  const asking = all((after) =>
    Effect.map(ask(options, { _tag: "ListNames", after }, "NameList"), ({ more, names }) => ({ entries: names, more }))
  )
  const list = Effect.map(asking, (names): Admin.NameList => ({ _tag: "NameList", names, more: false }))
  yield* tell(options, list, AdminText.names)
})

/** The text to say, which may be on standard input. */
const textOf = Effect.fnUntraced(function* (options: SayOptions) {
  const text = yield* Effect.mapError(Words.read(options), (error) =>
    error instanceof UsageError ? error : new AdminError({ reason: "text", message: error.message })
  )
  return Seal.isText(text) ? text : yield* Failure.invalidText(text)
})

export const say = Effect.fn("Admin.say")(function* (options: SayOptions) {
  const saying = Effect.flatMap(textOf(options), (text) => ask(options, { _tag: "Say", text }, "Notice"))
  yield* tell(options, saying, AdminText.said)
})

export const stats = Effect.fn("Admin.stats")(function* (options: AdminOptions) {
  yield* tell(options, ask(options, { _tag: "AskStats" }, "Stats"), AdminText.stats)
})

export const stop = Effect.fn("Admin.stop")(function* (options: AdminOptions) {
  yield* tell(options, ask(options, { _tag: "Stop" }, "Stopping"), AdminText.stopping)
})
