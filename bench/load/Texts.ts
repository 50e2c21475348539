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
  private readonly padding: Buffer
  constructor(private readonly size: number) {
    this.padding = Buffer.from(filling.slice(0, size - header))
  }

  /** Whose text it is that begins at `at` and is there to its end. Throws if it is not that speaker's next one. */
  read(bytes: Buffer, at: number): number {
    const speaker = digits(bytes, at, speakerDigits)
    const number = digits(bytes, at + speakerDigits + 1, numberDigits)
    const due = this.next[speaker] ?? 0
    const isWhole = bytes.compare(this.padding, 0, this.padding.length, at + header, at + this.size) === 0
    if (number !== due || !isWhole) {
      throw new Error(`text ${due} of speaker ${speaker} was due, not ${bytes.toString("latin1", at, at + this.size)}`)
    }
    this.next[speaker] = due + 1
    return speaker
  }
}
