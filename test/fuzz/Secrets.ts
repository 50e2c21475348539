/** Invites, key files and nicks: what people paste. No refusal repeats what may be a key. */
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Invite from "../../src/domain/Invite.js"
import * as KeyFile from "../../src/domain/KeyFile.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Nickname from "../../src/domain/Nickname.js"
import * as Skeleton from "../../src/domain/Skeleton.js"
import type { Dice } from "../simulation/Dice.js"
import * as Mutation from "./Mutation.js"
import { accepted, check, refused, type Target } from "./Target.js"

const key = <Use extends string>(dice: Dice): Keys.Key<Use> => Keys.fromBytes<Use>(dice.bytes(32))

/** So much of a key in a message is no accident. */
const telling = 12

const tells = (message: string, secret: string): boolean => {
  for (let at = 0; at + telling <= secret.length; at++) {
    if (message.includes(secret.slice(at, at + telling))) return true
  }
  return false
}

const hosts = ["127.0.0.1", "localhost", "chat.example.org", "::1", "fe80::1%eth0", "bücher.example", "a_b-c.d"]

const reasons = ["scheme", "address", "port", "version", "missing-key", "damaged-key", "server-key"]

const invites: Target = {
  name: "invites",
  share: 10,
  once: (dice) => {
    const write = () =>
      Invite.format({ address: { host: dice.pick(hosts), port: dice.whole(1, 65_535) }, key: key<"room">(dice) })
    const good = write()
    const isGood = dice.chance(0.1)
    const given = isGood
      ? dice.pick([good, ` <${good}>\n`, good.replace("#", "/#")])
      : Mutation.text(dice, good, write())
    const parsed = Invite.parse(given)
    if (Either.isLeft(parsed)) {
      check(!isGood, `a good invite was refused: ${parsed.left.reason}`)
      check(parsed.left instanceof Invite.InviteError, "it was refused without an InviteError")
      check(!tells(parsed.left.message, good.slice(good.indexOf("#v1.") + 4)), "the refusal shows a key")
      return refused(parsed.left.reason, reasons)
    }
    const { address } = parsed.right
    check(address.port >= 1 && address.port <= 65_535 && Number.isInteger(address.port), "a port out of range")
    check(!/[\p{Cc}\p{Cf}\p{Z}/#?@]/u.test(address.host), "a host that a terminal or a URL would take for more")
    const again = Invite.parse(Invite.format(parsed.right))
    check(Either.isRight(again), "what was read is written as no invite")
    const isSame =
      again.right.address.host === address.host &&
      again.right.address.port === address.port &&
      Keys.toBase64Url(again.right.key) === Keys.toBase64Url(parsed.right.key)
    check(isSame, "what was read is written as another invite")
    return accepted
  }
}

const keyFiles: Target = {
  name: "key files",
  share: 10,
  once: (dice) => {
    const write = (): string => {
      const lines = Array.from({ length: dice.whole(1, 4) }, () => Keys.toBase64Url(key(dice)))
      const isServer = dice.chance(0.4)
      const before = dice.chance(0.3) ? "# the room's\r\n\r\n" : ""
      return before + lines.map((line) => `${isServer ? "server:" : ""}${line}${dice.pick(["\n", "\r\n"])}`).join("")
    }
    const good = write()
    const isGood = dice.chance(0.1)
    const given = isGood ? good : Mutation.text(dice, good, write())
    const parsed = KeyFile.parse("secret.key", given)
    if (Either.isLeft(parsed)) {
      check(!isGood, `a good key file was refused: ${parsed.left.reason}`)
      check(parsed.left instanceof Keys.KeyError, "it was refused without a KeyError")
      check(!tells(parsed.left.message, given), "the refusal shows what stands in the file")
      return refused(parsed.left.reason, ["malformed", "mixed", "empty"])
    }
    check(
      parsed.right.keys.every((each) => Redacted.value(each).length === Keys.length),
      "a key of another length"
    )
    const again = Keys.parse(Keys.format(parsed.right))
    check(
      Either.isRight(again) &&
        again.right._tag === parsed.right._tag &&
        Keys.format(again.right) === Keys.format(parsed.right),
      "what was read is written as other keys"
    )
    return accepted
  }
}

/** From here on characters are not bytes. */
const letters = "aA1é日я\u0301\u200b\u202e\ud800\u{1f600}ﬁ İıſ\u1e9e-_. \n\0\u{e0100}\u115f"

const nicks: Target = {
  name: "nicks",
  share: 10,
  once: (dice) => {
    const points = [...letters]
    const length = Math.floor(dice.scale(1, dice.chance(0.9) ? 40 : 3_000))
    const asked = Array.from({ length }, () =>
      dice.chance(0.6) ? dice.pick(points) : String.fromCodePoint(dice.whole(0, dice.chance(0.5) ? 0x2ff : 0x10ffff))
    ).join("")
    Nickname.fits(asked)
    const parsed = Nickname.parse(dice.chance(0.5) ? asked : asked.replace(/[^\p{L}\p{M}\p{Nd}._-]/gu, ""))
    if (Either.isLeft(parsed)) return refused("no nick", ["no nick"])
    check(Nickname.is(parsed.right), "a nick that was admitted is none")
    check(!/[\p{C}\p{Z}]/u.test(parsed.right.replace(/\p{Co}|\p{Cn}/gu, "")), "a nick that a terminal would obey")
    check(Nickname.fits(parsed.right), "a nick that was admitted does not fit the first line")
    check(Skeleton.skeletons(parsed.right).length > 0, "a nick that looks like nothing")
    return accepted
  }
}

export const targets: ReadonlyArray<Target> = [invites, keyFiles, nicks]
