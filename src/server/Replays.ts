/**
 * First handshake messages that have come. One that comes again is a recording: it is refused before anything is computed
 * for it. A client makes a new one each time, and a stranger cannot make one that gets in here.
 */

/** How many are known; the oldest is forgotten for a new one. */
const capacity = 4_096

export class Replays {
  private readonly known = new Set<string>()

  /** Whether this line has come before. */
  has(line: string): boolean {
    return this.known.has(line)
  }

  /** Remembers a line that a holder of the key has made. */
  add(line: string): void {
    this.known.add(line)
    if (this.known.size <= capacity) return
    const { value } = this.known.values().next()
    if (value !== undefined) this.known.delete(value)
  }
}
