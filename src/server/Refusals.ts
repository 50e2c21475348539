/** What the operator is told of connections that were refused: one line a minute, however many there are. */
import * as Option from "effect/Option"

/** Why a connection was refused: as a stranger, or although its client holds a key. */
export type Refusal =
  | "wrong key, or not a chat client"
  | "a recording"
  | "too slow"
  | "too many at once"
  | "it speaks no version known here"
  | "broke a rule"
  | "full"

interface Tally {
  count: number
  /** The newest of them: where it came from, and what there is to say of it. */
  latest: string
}

/** How long (ms) after a line the next may follow. */
const lineTime = 60_000

export class Refusals {
  private readonly tallies = new Map<Refusal, Tally>()
  private sinceLine = lineTime

  /** Counts one; `address` is where it came from. */
  add(refusal: Refusal, address: string, detail?: string): void {
    const latest = detail === undefined ? address : `${address}, ${detail}`
    const tally = this.tallies.get(refusal)
    if (tally === undefined) this.tallies.set(refusal, { count: 1, latest })
    else {
      tally.count += 1
      tally.latest = latest
    }
  }

  /** Counts `time` ms; the line that is due then. The first comes at once, so that who tries out a client sees why it fails. */
  pass(time: number): Option.Option<string> {
    this.sinceLine += time
    if (this.tallies.size === 0 || this.sinceLine < lineTime) return Option.none()
    this.sinceLine = 0
    const parts = Array.from(this.tallies, ([refusal, { count, latest }]) =>
      count === 1 ? `${refusal} (${latest})` : `${count} times ${refusal} (at last ${latest})`
    )
    this.tallies.clear()
    return Option.some(`refused: ${parts.join("; ")}`)
  }
}
