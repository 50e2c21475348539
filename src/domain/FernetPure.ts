/**
 * The primitives of Fernet on the npm package `fernet` and the crypto-js it is made of. The package's own `Token` is
 * not used: it takes text only, checks neither padding nor length, and dates by the wall clock.
 */
import { Buffer } from "node:buffer"
import AES from "crypto-js/aes.js"
import NoPadding from "crypto-js/pad-nopadding.js"
import fernet from "fernet"
import type { Primitives } from "./Fernet.js"

type Words = CryptoJS.lib.WordArray

const hex = fernet.Hex

const toWords = (bytes: Uint8Array): Words =>
  hex.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex"))

const toBytes = (words: Words): Uint8Array => Buffer.from(words.toString(hex), "hex")

/** Where the fields of a token start: version, time, IV, ciphertext. */
const timeAt = 1
const ivAt = 9
const ciphertextAt = 25

const timeWords = (seconds: number): Words => hex.parse(seconds.toString(16).padStart(16, "0"))

export const primitives: Primitives = {
  seal: (key, seconds, iv, plaintext) => {
    const ivWords = toWords(iv)
    const ciphertext = fernet.encryptMessage(toWords(plaintext), toWords(key.subarray(16)), ivWords)
    return fernet.createToken(toWords(key.subarray(0, 16)), timeWords(seconds), ivWords, ciphertext)
  },
  mac: (key, signed) =>
    toBytes(
      fernet.createHmac(
        toWords(key.subarray(0, 16)),
        toWords(signed.subarray(timeAt, ivAt)),
        toWords(signed.subarray(ivAt, ciphertextAt)),
        toWords(signed.subarray(ciphertextAt))
      )
    ),
  decipher: (key, iv, ciphertext) =>
    toBytes(
      AES.decrypt({ ciphertext: toWords(ciphertext) } as CryptoJS.lib.CipherParams, toWords(key.subarray(16)), {
        iv: toWords(iv),
        padding: NoPadding
      })
    )
}
