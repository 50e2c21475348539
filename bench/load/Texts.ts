/** What is said: lines of ASCII that tell who says them and which of theirs they are, so that none can be missing unnoticed. */
import { Buffer } from "node:buffer"

/** How long (bytes) a text is where nothing else is said: about what people say. */
export const usualSize = 100

/** Speakers are 0 to 9,999. */
const speakerDigits = 4
const numberDigits = 8
/** Bytes before the padding: "0003 00000017 ". */
const header = speakerDigits + 1 + numberDigits + 1

const filling = "as people say it ".repeat(1000)
const padding = Buffer.from(filling)

/** Text `number` (0, 1, 2 …) of a speaker, `size` bytes. */
export const make = (speaker: number, number: number, size: number): string =>
  `${String(speaker).padStart(speakerDigits, "0")} ${String(number).padStart(numberDigits, "0")} ` +
  filling.slice(0, size - header)

const zero = 0x30

const digits = (bytes: Uint8Array, from: number, count: number): number => {
  let value = 0
  for (let i = from; i < from + count; i++) value = value * 10 + (bytes[i] ?? 0) - zero
  return value
}

/** Reads texts where bytes hold them, and checks that each speaker's come whole and in order. */
export class Reader {
  private readonly next: Array<number> = []

  /** Whose text it is that is from `from` to `until`. Throws if it is not that speaker's next one. */
  read(bytes: Buffer, from: number, until: number): number {
    const speaker = digits(bytes, from, speakerDigits)
    const number = digits(bytes, from + speakerDigits + 1, numberDigits)
    const due = this.next[speaker] ?? 0
    const isWhole = bytes.compare(padding, 0, until - from - header, from + header, until) === 0
    if (number !== due || !isWhole) {
      throw new Error(`text ${due} of speaker ${speaker} was due, not ${bytes.toString("latin1", from, until)}`)
    }
    this.next[speaker] = due + 1
    return speaker
  }
}
