/** What a member seals, and the event it arrives in. */
import * as Schema from "effect/Schema"
import * as Protocol from "../../src/domain/Protocol.js"
import * as Seal from "../../src/domain/Seal.js"

/** The content of a seal, from plain values; those that are not of its shape throw. */
export const contentOf = Schema.decodeUnknownSync(Seal.Sealed, { onExcessProperty: "error" })

/** The event that carries `sealed` at the place `content` was sealed for; `seq` and `at` are not bound. */
export const chatOf = (content: Pick<Seal.Sealed, "member" | "n" | "nick">, sealed: string): Protocol.Chat =>
  Protocol.Chat.make({
    seq: Protocol.next(Protocol.start),
    at: 0,
    member: content.member,
    nick: content.nick,
    n: content.n,
    sealed: Protocol.Sealed.make(sealed)
  })
