/** Everything random in a simulation: one generator, so that a seed replays exactly. */

/** sfc32 (PractRand, Chris Doty-Humphrey): 128 bits of state, fast, and good enough for far more than this. */
export class Dice {
  private a: number
  private b: number
  private c: number
  private d = 1

  constructor(seed: number) {
    this.a = seed >>> 0
    this.b = Math.floor(seed / 0x1_0000_0000) >>> 0
    this.c = 0x9e37_79b9
    // The first draws of seeds that lie close together are alike.
    for (let i = 0; i < 16; i++) this.word()
  }

  /** 32 random bits. */
  word(): number {
    const sum = (((this.a + this.b) >>> 0) + this.d) >>> 0
    this.d = (this.d + 1) >>> 0
    this.a = (this.b ^ (this.b >>> 9)) >>> 0
    this.b = (this.c + (this.c << 3)) >>> 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) >>> 0
    return sum
  }

  /** At least 0, less than 1. */
  fraction(): number {
    return this.word() / 0x1_0000_0000
  }

  /** A number from `min` to `max`. */
  between(min: number, max: number): number {
    return min + this.fraction() * (max - min)
  }

  /** A whole number from `min` to `max`, both included. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1))
  }

  /** A whole number from `min` to `max` whose size is as likely to be small as to be large. */
  scale(min: number, max: number): number {
    return Math.round(min * (max / min) ** this.fraction())
  }

  /** True as often as `probability` says. */
  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** One of a list that is not empty. */
  pick<A>(list: ReadonlyArray<A>): A {
    const picked = list[this.whole(0, list.length - 1)]
    if (picked === undefined) throw new RangeError("nothing to pick from")
    return picked
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i += 4) {
      const word = this.word()
      for (let j = 0; j < 4 && i + j < length; j++) bytes[i + j] = word >>> (8 * j)
    }
    return bytes
  }

  /** Another generator, which this one seeds: what it is asked for changes nothing here. */
  fork(): Dice {
    return new Dice(this.word() + this.whole(0, 0xffff) * 0x1_0000_0000)
  }
}
