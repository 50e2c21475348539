/** Seals and the tokens they are: none that was tampered with opens, and none opens in another place than its own. */
import { Buffer } from "node:buffer"
import * as Crypto from "node:crypto"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Base64Url from "../../src/domain/Base64Url.js"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Json from "../../src/domain/Json.js"
import * as Keys from "../../src/domain/Keys.js"
import type * as Protocol from "../../src/domain/Protocol.js"
import * as Seal from "../../src/domain/Seal.js"
import { Dice } from "../simulation/Dice.js"
import * as SealedText from "../utils/SealedText.js"
import { fernet } from "./Frames.js"
import * as JsonMutation from "./JsonMutation.js"
import * as Mutation from "./Mutation.js"
import * as Sample from "./Sample.js"
import { accepted, check, isSame, refused, type Target } from "./Target.js"

const setUp = new Dice(0x5ea1)
const key = () => Keys.fromBytes<"message">(setUp.bytes(32))
const ring = [key(), key()] as const
const stranger = key()

/** Texts that were really said, some under an older key, some in the name of the same member. */
const said = Array.from({ length: 64 }, (_, at) => {
  const content = SealedText.contentOf({ ...Sample.seen(setUp), text: `text ${at}`, member: (at % 3) + 1, nick: "ada" })
  return { content, sealed: Seal.seal(fernet, [setUp.pick(ring)], content) as string }
})
const others = Array.from({ length: 16 }, () =>
  fernet.encrypt([stranger], Json.encode(Sample.seen(setUp)))
) as ReadonlyArray<string>
const tokens = [...said.map(({ sealed }) => sealed), ...others]

/** The event a server hands out, which may hold any text as its seal. */
const chatOf = (place: Pick<Seal.Sealed, "member" | "n" | "nick">, sealed: string): Protocol.Chat => ({
  ...SealedText.chatOf(place, "AAAA"),
  // Beyond what a frame could carry, too.
  sealed: sealed as Protocol.Sealed
})

const places: Target = {
  name: "seals, tampered with or moved",
  share: 16,
  once: (dice) => {
    const own = dice.pick(said)
    const near = dice.pick(said)
    const isGood = dice.chance(0.05)
    const stays = (probability: number) => isGood || dice.chance(probability)
    const place = {
      log: stays(0.8) ? own.content.log : near.content.log,
      member: stays(0.8) ? own.content.member : near.content.member,
      n: stays(0.8) ? own.content.n : near.content.n,
      nick: stays(0.9) ? own.content.nick : dice.pick(["Ada", "ada ", "\u0430da", ""])
    }
    const another = () => (dice.chance(0.3) ? dice.pick(tokens) : Mutation.text(dice, own.sealed, dice.pick(tokens)))
    const token = isGood ? own.sealed : another()
    const opened = Seal.open(fernet, ring, place.log, chatOf(place, token))
    const origin = said.find(({ sealed }) => sealed === token)?.content
    const fits =
      origin !== undefined &&
      origin.log === place.log &&
      origin.member === place.member &&
      origin.n === place.n &&
      origin.nick === place.nick
    if (Either.isLeft(opened)) {
      check(!fits, "a good seal does not open in its place")
      return refused(opened.left, [origin === undefined ? "key" : "mismatch"])
    }
    check(fits, origin === undefined ? "a forged seal has opened" : "a seal has opened in another's place")
    check(isSame(opened.right, origin), "a seal holds something else than what was sealed")
    return accepted
  }
}

const schema = Json.open(Seal.Sealed)

const contents: Target = {
  name: "what members seal",
  share: 10,
  once: (dice) => {
    const content = Sample.seen(dice)
    const isGood = dice.chance(0.1)
    const plaintext = isGood ? Json.encode(content) : JsonMutation.bytes(dice, content, Sample.seen(dice))
    const { log, ...place } = SealedText.contentOf({ ...content, text: "x" })
    const opened = Seal.open(fernet, ring, log, chatOf(place, fernet.encrypt([ring[0]], plaintext)))
    const plain = schema(plaintext)
    if (Either.isLeft(opened)) {
      check(!isGood, `what is right was refused: ${opened.left}`)
      return refused(opened.left, [Either.isLeft(plain) ? "content" : "mismatch"])
    }
    check(Either.isRight(plain) && isSame(plain.right, opened.right), "a shortcut took what the schema does not")
    check(Seal.isText(opened.right.text), "a text beyond its bounds was shown")
    const again = schema(Json.encode(opened.right))
    check(Either.isRight(again) && isSame(again.right, opened.right), "what was taken is written otherwise")
    return accepted
  }
}

const pure = Effect.runPromise(Effect.provide(Fernet.Fernet, Fernet.layerPure))
const second = await pure

/** A token of any bytes, whose MAC is right: only who has the key can make it. */
const signed = (key: Keys.AnyKey, content: Uint8Array): string => {
  const mac = Crypto.createHmac("sha256", Redacted.value(key).subarray(0, 16)).update(content).digest()
  return Base64Url.encode(Buffer.concat([content, mac]))
}

/** Two implementations, one verdict: also of paddings, versions and lengths that only a holder of the key can get wrong. */
const differential: Target = {
  name: "tokens, by two implementations",
  share: 1,
  once: (dice) => {
    const content = Buffer.concat([Uint8Array.of(0x80), dice.bytes(8 + 16 + 16 * dice.whole(1, 4))])
    const whole = Buffer.from(fernet.encrypt([ring[0]], dice.bytes(dice.whole(0, 40))), "base64url").subarray(0, -32)
    const given = dice.chance(0.5) ? content : whole
    const changed = dice.chance(0.7) ? Mutation.bytes(dice, given, content).subarray(0, 400) : given
    const token = dice.chance(0.8) ? signed(ring[0], changed) : Mutation.text(dice, signed(ring[0], changed), "AAAA")
    const one = fernet.decrypt(ring, token.slice(0, 2_000))
    const two = second.decrypt(ring, token.slice(0, 2_000))
    if (Either.isLeft(one)) {
      check(Either.isLeft(two) && two.left.reason === one.left.reason, "two implementations differ in why not")
      return refused(one.left.reason, ["malformed", "mac", "padding"])
    }
    check(Either.isRight(two) && Buffer.from(one.right).equals(two.right), "two implementations read it otherwise")
    return accepted
  }
}

export const targets: ReadonlyArray<Target> = [places, contents, differential]
