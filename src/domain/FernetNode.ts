/**
 * The ciphers of Fernet on node:crypto. To make a cipher object and an HMAC object costs more than to put a short text
 * through them, so a key in frequent use keeps its ciphers, and HMAC is its two hashes (RFC 2104).
 */
import { Buffer } from "node:buffer"
import * as Crypto from "node:crypto"
import type { Cipher } from "./Fernet.js"

const aes = "aes-128-cbc"
const block = 16
const noBlock = new Uint8Array(block)

/** Uses of a key after which its ciphers are kept: they are worth a KiB each only where they save work. */
const often = 16

/** Bytes that SHA-256 takes at a time. */
const hashBlock = 64
const hashLength = 32
const half = 16

/** The two pads of HMAC, each with room for what is hashed after it: a key of 16 bytes changes the first 16. */
const inner = Buffer.alloc(hashBlock + 64 * 1024, 0x36)
const outer = Buffer.alloc(hashBlock + hashLength, 0x5c)
const digest = Buffer.alloc(hashLength)

const hmacOfAny = (key: Uint8Array, signed: Uint8Array): Uint8Array =>
  Crypto.createHmac("sha256", key.subarray(0, half)).update(signed).digest()

const hmac = (key: Uint8Array, signed: Uint8Array): Uint8Array => {
  const length = hashBlock + signed.length
  if (length > inner.length) return hmacOfAny(key, signed)
  for (let at = 0; at < half; at++) {
    const byte = key[at] ?? 0
    inner[at] = byte ^ 0x36
    outer[at] = byte ^ 0x5c
  }
  inner.set(signed, hashBlock)
  // A digest as a string of its bytes costs half as much as one in a Buffer of its own.
  outer.write(Crypto.hash("sha256", inner.subarray(0, length), "binary"), hashBlock, "latin1")
  digest.write(Crypto.hash("sha256", outer, "binary"), "latin1")
  return digest
}

// Node has one-shot hashes from 20.12 on.
const mac = typeof Crypto.hash === "function" ? hmac : hmacOfAny

/** AES-128-CBC that goes on from token to token. */
class Enciphering {
  private readonly cipher: Crypto.Cipher
  private readonly inverse: Crypto.Decipher
  /** The last block of ciphertext, with which the next block of plaintext is combined. */
  private chained: Uint8Array = noBlock

  constructor(key: Uint8Array) {
    this.cipher = Crypto.createCipheriv(aes, key, noBlock).setAutoPadding(false)
    this.inverse = Crypto.createDecipheriv("aes-128-ecb", key, null).setAutoPadding(false)
  }

  encipher(iv: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const padding = block - (plaintext.length % block)
    const padded = Buffer.allocUnsafe(block + plaintext.length + padding)
    // The block that comes out as the IV goes first: what follows is then as if the cipher had begun with it.
    padded.set(this.inverse.update(iv))
    for (let at = 0; at < block; at++) padded[at] = (padded[at] ?? 0) ^ (this.chained[at] ?? 0)
    padded.set(plaintext, block)
    padded.fill(padding, block + plaintext.length)
    const enciphered = this.cipher.update(padded)
    this.chained = Uint8Array.prototype.slice.call(enciphered, -block)
    return enciphered
  }
}

/** A class, because ten thousand connections that are idle have two keys each. */
class NodeCipher implements Cipher {
  private enciphered = 0
  private enciphering: Enciphering | undefined
  private deciphered = 0
  private deciphering: Crypto.Decipher | undefined

  constructor(private readonly key: Uint8Array) {}

  /** A copy: for a view, V8 would move the key out of its own heap for good. */
  private get encryption(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.key, half)
  }

  mac(signed: Uint8Array): Uint8Array {
    return mac(this.key, signed)
  }

  encipher(iv: Uint8Array, plaintext: Uint8Array): Uint8Array {
    this.enciphered += 1
    if (this.enciphered > often) {
      this.enciphering ??= new Enciphering(this.encryption)
      return this.enciphering.encipher(iv, plaintext)
    }
    const once = Crypto.createCipheriv(aes, this.encryption, iv)
    return Buffer.concat([iv, once.update(plaintext), once.final()])
  }

  decipher(ivAndCiphertext: Uint8Array): Uint8Array {
    const decipher = this.deciphering ?? Crypto.createDecipheriv(aes, this.encryption, noBlock).setAutoPadding(false)
    this.deciphered += 1
    if (this.deciphered > often) this.deciphering = decipher
    // A block needs only the ciphertext before it: the IV goes through first, and what comes of it is dropped.
    return decipher.update(ivAndCiphertext).subarray(block)
  }
}

export const cipher = (key: Uint8Array): Cipher => new NodeCipher(key)
