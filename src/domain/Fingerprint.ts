/**
 * Six words by which two people tell, by voice, that they hold the same key. They are made of the server key, so that who
 * has only that can say them too, and say nothing of the key: who hears them learns nothing that helps to find it.
 *
 * What they show: the same words, the same key. 66 bits are far more than a slip or a stale key could match by chance. What
 * they cannot show: who else has that key, nor that a server is the one it says it is. And they are no proof against one
 * who has made up both keys and had the time to try some 2^33 for a pair with the same words.
 */
import * as Crypto from "node:crypto"
import { wordlist } from "@scure/bip39/wordlists/english"
import * as Redacted from "effect/Redacted"
import type * as Keys from "./Keys.js"

const words = 6
/** The list has 2,048 words, all told apart by their first four letters. */
const bitsPerWord = 11

/**
 * The words, with spaces between them: the first 66 bits, 11 a word, of HKDF-SHA256 over the server key (empty salt, info
 * `fernet-chat/1 fingerprint`), of the English list of BIP-39.
 */
export const format = (key: Keys.ServerKey): string => {
  const length = Math.ceil((words * bitsPerWord) / 8)
  const bytes = Crypto.hkdfSync("sha256", Redacted.value(key), new Uint8Array(0), "fernet-chat/1 fingerprint", length)
  const bits = Array.from(new Uint8Array(bytes), (byte) => byte.toString(2).padStart(8, "0")).join("")
  return Array.from({ length: words }, (_, index) => {
    const at = index * bitsPerWord
    return wordlist[Number.parseInt(bits.slice(at, at + bitsPerWord), 2)]
  }).join(" ")
}
