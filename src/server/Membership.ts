/** What the log remembers of a member, beyond its events: who it is, what it is called, how far it has come. */
import { Buffer } from "node:buffer"
import * as Crypto from "node:crypto"
import * as HashSet from "effect/HashSet"
import * as Schema from "effect/Schema"
import * as Base64Url from "../domain/Base64Url.js"
import * as Nickname from "../domain/Nickname.js"
import * as Protocol from "../domain/Protocol.js"

/** SHA-256 of a ticket: whoever reads it cannot pose as its member. */
export const TicketHash = Protocol.base64Url(32).pipe(Schema.brand("fernet-chat/TicketHash"))
export type TicketHash = typeof TicketHash.Type

/** Of a member that is barred by the operator: since when (ms), and the network that is barred with it. */
export const Ban = Schema.Struct({
  at: Schema.NonNegativeInt,
  network: Schema.optionalWith(Schema.String, { exact: true })
})
export type Ban = typeof Ban.Type

export const Membership = Schema.Struct({
  member: Protocol.MemberId,
  ticket: TicketHash,
  /** The nick it has, or had when it left. */
  nick: Schema.String.pipe(Schema.filter(Nickname.is)),
  /** The highest number among its texts that the log has ever held; 0 before the first. */
  acked: Schema.NonNegativeInt,
  /** Whether its last event is not a Left. */
  here: Schema.Boolean,
  /** The place of its Left, where it was kicked and has not come back since. */
  kicked: Schema.optionalWith(Protocol.Seq, { exact: true }),
  /** It is not let in. Without it nothing is kept of where a member comes from. */
  banned: Schema.optionalWith(Ban, { exact: true })
})
export type Membership = typeof Membership.Type

/** The networks that bans of `members` bar. */
export const barredNetworks = (members: Iterable<Membership>): HashSet.HashSet<string> =>
  HashSet.fromIterable(Array.from(members).flatMap(({ banned }) => banned?.network ?? []))

/** The hash under which the member with this ticket is known. */
export const hash = (ticket: Protocol.Ticket): TicketHash =>
  // 32 bytes by construction.
  TicketHash.make(Base64Url.encode(Crypto.createHash("sha256").update(Buffer.from(ticket, "base64url")).digest()))
