/**
 * Invites: all that is needed to join, on one line. `chat://host:port#v1.KEY`, where KEY is the room key as in a key file.
 * An invite is as secret as the key. It stands behind the `#` as what a browser would send to nobody.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Address from "./Address.js"
import * as Keys from "./Keys.js"

/** Where a chat is, and the key to it. */
export interface Invite {
  readonly address: Address.Address
  readonly key: Keys.RoomKey
}

/** Why a text is no invite; `message` says what to do about it, and never shows what could be a key. */
export class InviteError extends Schema.TaggedError<InviteError>()("InviteError", {
  reason: Schema.Literal("scheme", "address", "port", "version", "missing-key", "damaged-key", "server-key"),
  message: Schema.String
}) {}

const scheme = "chat://"
const version = "v1"

/** The text of an invite, read back by {@link parse}. Whoever calls this shows a secret, and should mean to. */
export const format = ({ address, key }: Invite): string =>
  `${scheme}${Address.format(address)}#${version}.${Keys.toBase64Url(key)}`

/** A text as it was copied: blanks, line ends and angle brackets around it are no part of it. */
const bare = (text: string): string => {
  const trimmed = text.trim()
  return trimmed.startsWith("<") && trimmed.endsWith(">") ? trimmed.slice(1, -1).trim() : trimmed
}

/** A name, an IPv4 address, or an IPv6 address in brackets (with its zone, if any). Nothing that a terminal would obey. */
const hostAndPort = /^(?:\[([\da-f:.]*:[\da-f:.]*(?:%[\w.-]+)?)\]|([\p{L}\p{M}\p{N}._-]+))(?::(.*))?$/iu

const maxPort = 65_535

const ask = "ask for the invite again, and copy all of it"

/** Reads an invite. */
export const parse = (text: string): Either.Either<Invite, InviteError> => {
  const fail = (reason: InviteError["reason"], message: string) => Either.left(new InviteError({ reason, message }))
  const invite = bare(text)
  if (invite.slice(0, scheme.length).toLowerCase() !== scheme) {
    return fail("scheme", `this is no invite: one begins with ${scheme}, as chat invite prints it`)
  }
  const [where = "", ...rest] = invite.slice(scheme.length).split("#")
  // A slash before the # means nothing, and some programs put one there.
  const [, six, name, digits = String(Address.defaultAddress.port)] = hostAndPort.exec(where.replace(/\/$/, "")) ?? []
  const host = six ?? name
  if (host === undefined) {
    return fail(
      "address",
      `the invite names no host: it reads ${scheme}HOST:PORT#${version}.KEY, an IPv6 host in brackets`
    )
  }
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0
  if (port === 0 || port > maxPort) return fail("port", `the invite's port is not one of 1 to ${maxPort}: ${ask}`)

  const secret = rest.join("#")
  if (secret === "") {
    return fail("missing-key", `the invite has no key, which stands behind the #: ${ask} (in a shell, between quotes)`)
  }
  if (secret.startsWith("server:") || secret.startsWith(`${version}.server:`)) {
    return fail("server-key", "the invite holds a server key, which opens no message: ask for one with the room key")
  }
  const dot = secret.indexOf(".")
  const named = dot === -1 ? undefined : secret.slice(0, dot)
  if (named !== undefined && named !== version && /^v\d{1,4}$/.test(named)) {
    return fail(
      "version",
      `the invite is of version ${named.slice(1)}, which this chat does not know: install a newer one`
    )
  }
  const key = named === version ? Keys.fromBase64Url<"room">(secret.slice(dot + 1)) : Option.none()
  if (Option.isNone(key)) {
    return secret === `${version}.`
      ? fail("missing-key", `the invite ends before its key: ${ask}`)
      : fail("damaged-key", `the invite's key is damaged: it is ${version}. and 44 characters of base64url; ${ask}`)
  }
  return Either.right({ address: { host, port }, key: key.value })
}
