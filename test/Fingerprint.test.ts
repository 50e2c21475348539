import { Buffer } from "node:buffer"
import * as Crypto from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import { wordlist } from "@scure/bip39/wordlists/english"
import * as fc from "effect/FastCheck"
import * as Fingerprint from "../src/domain/Fingerprint.js"
import * as Keys from "../src/domain/Keys.js"
import { keyFilledWith, keyOf, session } from "./utils/Vectors.js"

/** The same by other means: HKDF written out with HMAC (RFC 5869), and the bits as one number. */
const independent = (key: Uint8Array): string => {
  const hmac = (secret: Uint8Array, data: Uint8Array) => Crypto.createHmac("sha256", secret).update(data).digest()
  const okm = hmac(hmac(Buffer.alloc(32), key), Buffer.from("fernet-chat/1 fingerprint\u0001"))
  let rest = BigInt(`0x${okm.toString("hex")}`) >> BigInt(256 - 66)
  const words: Array<string | undefined> = []
  for (let count = 0; count < 6; count += 1) {
    words.unshift(wordlist[Number(rest % 2048n)])
    rest /= 2048n
  }
  return words.join(" ")
}

describe("Fingerprint", () => {
  it("the list is the one that was published", () => {
    const digest = Crypto.createHash("sha256")
      .update(`${wordlist.join("\n")}\n`)
      .digest("hex")
    expect(digest).toBe("2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda")
    expect(new Set(wordlist.map((word) => word.slice(0, 4))).size).toBe(2_048)
  })

  it.prop("is the first 66 bits of HKDF as six words", [fc.uint8Array({ minLength: 32, maxLength: 32 })], ([bytes]) => {
    expect(Fingerprint.format(Keys.fromBytes<"server">(bytes))).toBe(independent(bytes))
  })

  it.each([
    ["the server key of the vectors", keyOf<"server">(session.serverKey), "canoe process try guard donor require"],
    ["a key of ones", keyFilledWith<"server">(1), "napkin typical rate liberty chunk stay"]
  ])("does not change: %s", (_, key, words) => {
    expect(Fingerprint.format(key)).toBe(words)
  })

  it("who holds the room key and who holds the server key say the same", () => {
    const room = Keys.fromBytes<"room">(session.roomKeyHex)
    expect(Fingerprint.format(Keys.serverKey(room))).toBe(Fingerprint.format(keyOf<"server">(session.serverKey)))
  })
})
