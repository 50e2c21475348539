/** What happened in a run, in order: always as a hash, that two runs can be compared; in words where somebody asks. */
export class Trace {
  private high = 0xdead_beef
  private low = 0x41c6_ce57
  private count = 0

  /** `listen` hears every line. */
  constructor(private readonly listen?: (line: string) => void) {}

  /** Adds what happened at `at` (ms). */
  add(at: number, line: string): void {
    this.count += 1
    this.mix(Math.round(at * 1000))
    for (let i = 0; i < line.length; i++) this.mix(line.charCodeAt(i))
    this.listen?.(`${(at / 1000).toFixed(6).padStart(12)}  ${line}`)
  }

  /** Lines so far. */
  get length(): number {
    return this.count
  }

  /** Two runs that differ anywhere differ here, but for one time in 2^64. */
  get hash(): string {
    return [this.high, this.low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("")
  }

  private mix(value: number): void {
    this.high = Math.imul(this.high ^ value, 0x9e37_79b1)
    this.high ^= this.high >>> 15
    this.low = Math.imul(this.low ^ value, 0x85eb_ca6b) + this.high
    this.low ^= this.low >>> 13
  }
}
