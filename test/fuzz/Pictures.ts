/** A client's picture of the room: what a server says in a wrong order, twice, not at all or of another epoch is found out. */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Conversation } from "../../src/client/Conversation.js"
import * as Outbox from "../../src/client/Outbox.js"
import * as Base64Url from "../../src/domain/Base64Url.js"
import { Fault } from "../../src/domain/Fault.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Protocol from "../../src/domain/Protocol.js"
import type * as Wire from "../../src/domain/Wire.js"
import type { Dice } from "../simulation/Dice.js"
import { fernet } from "./Frames.js"
import * as Sample from "./Sample.js"
import { accepted, check, refused, type Target } from "./Target.js"

const decodeDown = Schema.decodeUnknownSync(Protocol.DownFrame)
const decodeGroup = Schema.decodeUnknownSync(Protocol.GroupFrame)

const down = (...messages: ReadonlyArray<unknown>): Wire.Received => ({
  _tag: "Down",
  messages: decodeDown({ frame: 0, messages }).messages
})
const group = (epoch: number, ...events: ReadonlyArray<unknown>): Wire.Received => ({
  _tag: "Group",
  frame: decodeGroup({ epoch, events })
})

const log = Base64Url.encode(new Uint8Array(16).fill(7))
const key = Base64Url.encode(new Uint8Array(32).fill(8))
const messageKeys = [Keys.fromBytes<"message">(new Uint8Array(32).fill(9))] as const

const chat = (seq: number, n: number) => ({ _tag: "Chat", seq, at: 0, member: 5, nick: "bob", n, sealed: "AAAA" })

/** What a server says to member 9, who comes to a log of ten events: the last of them while catching up, more while live. */
const script = (dice: Dice): ReadonlyArray<Wire.Received> => {
  const live = dice.whole(1, 5)
  return [
    down({ _tag: "Welcome", log, head: 10, after: 7, member: 9, nick: "ada", acked: 0, count: 2 }),
    down({
      _tag: "Members",
      members: [
        { member: 5, nick: "bob" },
        { member: 9, nick: "ada" }
      ]
    }),
    down({ _tag: "Events", events: [chat(8, 1), { _tag: "Joined", seq: 9, at: 0, member: 9, nick: "ada" }] }),
    down({ _tag: "Events", events: [chat(10, 2)] }, { _tag: "Rekey", epoch: 3, key }),
    ...Array.from({ length: live }, (_, at) => group(3, chat(11 + at, 3 + at))),
    down({ _tag: "Ping", at: 1, last: 10 + live })
  ]
}

/** One wrong thing in it. */
const spoilt = (dice: Dice, said: ReadonlyArray<Wire.Received>): ReadonlyArray<Wire.Received> => {
  const at = dice.whole(0, said.length - 1)
  const other = dice.whole(0, said.length - 1)
  const [one, two] = [said[at] ?? dice.pick(said), said[other] ?? dice.pick(said)]
  switch (dice.whole(0, 5)) {
    case 0:
      return said.toSpliced(at, 1)
    case 1:
      return said.toSpliced(other, 0, one)
    case 2:
      return said.with(at, two).with(other, one)
    case 3:
      return said.toSpliced(at, 0, down(...decodeDown(Sample.downFrame(dice)).messages))
    case 4:
      return said.toSpliced(at, 0, { _tag: "Group", frame: decodeGroup(Sample.groupFrame(dice)) })
    default:
      return one._tag === "Group"
        ? said.with(at, { ...one, frame: { ...one.frame, epoch: one.frame.epoch + dice.whole(-1, 1) } })
        : said.slice(0, at)
  }
}

const rules = ["order", "sequence", "epoch", "robbed", "log", "shape", "text-number"]

const eventsOf = (received: Wire.Received): ReadonlyArray<Protocol.Event> =>
  received._tag === "Group"
    ? received.frame.events
    : received.messages.flatMap((message) => (message._tag === "Events" ? message.events : []))

const picture: Target = {
  name: "what a server says, out of turn",
  share: 8,
  once: (dice) => {
    const good = script(dice)
    const rounds = dice.chance(0.1) ? 0 : dice.whole(1, 3)
    let said = good
    for (let round = 0; round < rounds && said.length > 0; round++) said = spoilt(dice, said)
    const conversation = new Conversation({
      fernet,
      keys: messageKeys,
      nick: "ada",
      kept: {
        ticket: Protocol.Ticket.make(Base64Url.encode(new Uint8Array(16))),
        outbox: Outbox.empty,
        seen: Option.none(),
        isLasting: false
      }
    })
    conversation.begin()
    let last: number | undefined
    for (const received of said) {
      const turn = conversation.receive(received)
      if (Either.isLeft(turn)) {
        check(rounds > 0, `what is right was refused: ${turn.left.message}`)
        check(turn.left instanceof Fault, "it was refused without a Fault")
        return refused(turn.left.rule, rules)
      }
      // Whatever was let through, the log has neither a gap nor a repeat in it.
      if (received._tag === "Down") {
        for (const message of received.messages) if (message._tag === "Welcome") last = message.after
      }
      for (const { seq } of eventsOf(received)) {
        check(last !== undefined && seq === last + 1, `event ${seq} was taken after ${last}`)
        last = seq
      }
      if (received._tag === "Group") {
        check(conversation.group !== undefined, "a frame for all was taken before there was a key for it")
      }
      if (typeof turn.right !== "string") return refused(turn.right._tag, ["Disconnected", "JoinError"])
    }
    return accepted
  }
}

export const targets: ReadonlyArray<Target> = [picture]
