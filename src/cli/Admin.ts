/** `chat admin`: what the operator of a server on this machine has it do, over the server's socket. */
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Admin from "../domain/Admin.js"
import * as Protocol from "../domain/Protocol.js"
import * as Transport from "../domain/Transport.js"
import * as TransportTcp from "../domain/TransportTcp.js"
import { UsageError } from "./Failure.js"
import * as KeySource from "./KeySource.js"
import * as Socket from "./Socket.js"

export interface AdminOptions {
  /** The socket of the server. */
  readonly socket: Option.Option<string>
  /** The server's key file, which says where the socket is unless it is named. */
  readonly keyFile: Option.Option<string>
}

export interface MemberOptions extends AdminOptions {
  /** The member: its nick, or `@` and its id. */
  readonly who: string
}

export interface BanOptions extends MemberOptions {
  readonly ticketOnly: boolean
}

/** The server has not done what it was asked to do, or has not said so. */
class AdminError extends Data.TaggedError("AdminError")<{ readonly message: string }> {}

/** How long the server may take for an answer: as long as a disk may to sync. */
const patience = "30 seconds"

const unanswered = new AdminError({
  message: "the server ended, or stands still, before it had answered: its log line tells whether it was done"
})
const unexpected = new AdminError({ message: "the answer is to something else: the server is of another version" })

/** Asks the server that has the socket, and gives the answer if it is one of `tag`. */
const ask = Effect.fn("Admin.ask")(function* <Tag extends Exclude<Admin.Answer["_tag"], "Failed">>(
  options: AdminOptions,
  request: Admin.Request,
  tag: Tag
) {
  const path = yield* Socket.find(options.socket, yield* KeySource.find(options.keyFile))
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
  if (answer._tag === "Failed") return yield* new AdminError({ message: answer.message })
  const isExpected = (given: Admin.Answer): given is Extract<Admin.Answer, { readonly _tag: Tag }> => given._tag === tag
  return isExpected(answer) ? answer : yield* unexpected
})

const checkWho = ({ who }: MemberOptions) =>
  who.isWellFormed() && who !== "" && who.length <= Admin.maxWho
    ? Effect.void
    : new UsageError({ message: `a nick has 1 to ${Admin.maxWho} characters` })

const listed = ({ members, more }: Admin.Some): string =>
  members.map(({ nick }) => nick).join(", ") + (more > 0 ? ` and ${more} more` : "")

const keyNote = "who holds the key can come back from elsewhere as somebody new: only a new key shuts out for good"

export const kick = Effect.fn("Admin.kick")(function* (options: MemberOptions) {
  yield* checkWho(options)
  const { nick } = yield* ask(options, { _tag: "Kick", who: options.who }, "Kicked")
  yield* Console.log(`kicked ${nick}, who may join again: chat admin ban ${nick} keeps a kicked member out`)
})

export const ban = Effect.fn("Admin.ban")(function* (options: BanOptions) {
  const { ticketOnly, who } = options
  yield* checkWho(options)
  const { member, network, nick, others } = yield* ask(options, { _tag: "Ban", who, ticketOnly }, "Banned")
  const alone = ticketOnly ? "" : ": where it came from is not known any more"
  const lines = [
    network === undefined ? `banned ${nick}, by its ticket only${alone}` : `banned ${nick}, and all from ${network}`,
    ...(others.members.length === 0
      ? []
      : [
          `also here from ${network}: ${listed(others)}; they stay, but are not let in again`,
          `to let them in, bar the ticket alone: chat admin ban --ticket-only @${member}`
        ]),
    keyNote
  ]
  yield* Console.log(lines.join("\n"))
})

export const unban = Effect.fn("Admin.unban")(function* (options: MemberOptions) {
  yield* checkWho(options)
  const { network, nick, others } = yield* ask(options, { _tag: "Unban", who: options.who }, "Unbanned")
  const isStill = others.members.length > 0
  const where = network === undefined || isStill ? "" : `, and all from ${network}`
  yield* Console.log(`unbanned ${nick}${where}`)
  if (isStill) yield* Console.log(`all from ${network} stay barred, by the ban of ${listed(others)}`)
})

/** All bans, page by page. */
const allBans = Effect.fnUntraced(function* (options: AdminOptions) {
  const all: Array<Admin.BanEntry> = []
  while (true) {
    const after = all.at(-1)?.member ?? Protocol.start
    const { bans, more } = yield* ask(options, { _tag: "ListBans", after }, "BanList")
    all.push(...bans)
    if (!more || bans.length === 0) return all
  }
})

export const bans = Effect.fn("Admin.bans")(function* (options: AdminOptions) {
  const all = yield* allBans(options)
  if (all.length === 0) return yield* Console.log("nobody is banned")
  const lines = all.map(({ at, member, network, nick }) => {
    const since = new Date(at).toISOString().replace(/\.\d+Z$/, "Z")
    return `${nick} (@${member}) since ${since}${network === undefined ? ", by its ticket only" : `, and all from ${network}`}`
  })
  yield* Console.log(lines.join("\n"))
})
