/**
 * The ciphers of Fernet on the npm package `fernet` and the crypto-js it is made of. The package's own `Token` is
 * not used: it takes text only, checks neither padding nor length, and dates by the wall clock.
 */
import { Buffer } from "node:buffer"
import AES from "crypto-js/aes.js"
import NoPadding from "crypto-js/pad-nopadding.js"
import fernet from "fernet"
import type { Cipher } from "./Fernet.js"

type Words = CryptoJS.lib.WordArray

const hex = fernet.Hex

const toWords = (bytes: Uint8Array): Words =>
  hex.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex"))

const toBytes = (words: Words): Uint8Array => Buffer.from(words.toString(hex), "hex")

/** Where the fields of a token start that the package signs one by one: version, time, IV, ciphertext. */
const timeAt = 1
const ivAt = 9
const ciphertextAt = 25
const block = 16

export const cipher = (key: Uint8Array): Cipher => {
  const signing = toWords(key.subarray(0, 16))
  const encryption = toWords(key.subarray(16))
  return {
    mac: (signed) =>
      toBytes(
        fernet.createHmac(
          signing,
          toWords(signed.subarray(timeAt, ivAt)),
          toWords(signed.subarray(ivAt, ciphertextAt)),
          toWords(signed.subarray(ciphertextAt))
        )
      ),
    encipher: (iv, plaintext) =>
      Buffer.concat([iv, toBytes(fernet.encryptMessage(toWords(plaintext), encryption, toWords(iv)))]),
    decipher: (chained) =>
      toBytes(
        // The package asks for more than it looks at.
        AES.decrypt({ ciphertext: toWords(chained.subarray(block)) } as CryptoJS.lib.CipherParams, encryption, {
          iv: toWords(chained.subarray(0, block)),
          padding: NoPadding
        })
      )
  }
}
