/** Decisions of a room, without one: commands and an operator's acts in, what came of them out. A session is a number. */
import { Buffer } from "node:buffer"
import * as Either from "effect/Either"
import * as Base64Url from "../../src/domain/Base64Url.js"
import * as Protocol from "../../src/domain/Protocol.js"
import type * as Moderation from "../../src/server/Moderation.js"
import * as RoomState from "../../src/server/RoomState.js"

export type Link = number
export type State = RoomState.State<Link>
export type Command = RoomState.Command<Link>

/** What an operator does. */
export interface Act {
  readonly _tag: "Act"
  readonly act: Moderation.Act<{ readonly _tag: string }>
}

export const ticketOf = (person: string) => Protocol.Ticket.make(Base64Url.encode(Buffer.alloc(16, person)))
const sealed = Protocol.Sealed.make("AAAA")

/** Each person comes from a network of its own, unless another is given. */
export const enter = (
  link: Link,
  person: string,
  nick = person,
  { after, network = person }: { readonly after?: number; readonly network?: string } = {}
): Command => ({
  _tag: "Nick",
  link,
  message: {
    _tag: "Nick",
    nick,
    ticket: ticketOf(person),
    ...(after === undefined
      ? {}
      : { log: Protocol.LogId.make(Base64Url.encode(Buffer.alloc(16))), after: Protocol.Position.make(after) })
  },
  network
})
export const rename = (link: Link, nick: string): Command => ({
  _tag: "Nick",
  link,
  message: { _tag: "Nick", nick },
  network: "anywhere"
})
export const say = (link: Link, ...numbers: ReadonlyArray<number>): Command => ({
  _tag: "Say",
  link,
  messages: numbers.map((n) => ({ _tag: "Say", n: Protocol.TextNumber.make(n), sealed }))
})
const of =
  (_tag: "Leave" | "Ready" | "Lost") =>
  (link: Link): Command => ({ _tag, link })
export const [leave, ready, lost] = [of("Leave"), of("Ready"), of("Lost")]

export const overdue = (member: number, since = 1000): Command => ({
  _tag: "Overdue",
  member: Protocol.MemberId.make(member),
  since
})

export const act = (does: Act["act"]): Act => ({ _tag: "Act", act: does })

export const empty: State = RoomState.make(Protocol.start, [], 0)

/** Runs commands and acts; what came of them in short. */
export const run = (state: State, ...steps: ReadonlyArray<Command | Act>) => {
  let next = state
  const events: Array<Protocol.Event> = []
  const members: Array<number> = []
  const replies: Array<RoomState.Reply<Link>> = []
  /** Of acts: what was done, or why it was not. */
  const outcomes: Array<{ readonly _tag: string }> = []
  const reasons: Array<string> = []
  const take = (decision: RoomState.Decision<Link>) => {
    next = decision.state
    events.push(...decision.events)
    members.push(...decision.members)
    replies.push(...decision.replies)
  }
  for (const step of steps) {
    if (step._tag !== "Act") {
      take(RoomState.decide(next, step, 1000))
      continue
    }
    const decision = step.act(next, 1000)
    take(decision)
    const { outcome } = decision
    if (Either.isRight(outcome)) outcomes.push(outcome.right)
    else reasons.push(`${outcome.left.reason}: ${outcome.left.message}`)
  }
  const short = events.map((event) => ("nick" in event ? `${event.seq} ${event.nick} ${event._tag}` : event._tag))
  const told = replies.map((reply) =>
    "link" in reply
      ? `${reply.link} ${reply._tag === "Bye" || reply._tag === "Rejected" ? reply.reason : reply._tag}`
      : `${reply.member} ${reply._tag}`
  )
  return { state: next, events, members, replies, short, told, outcomes, reasons }
}
