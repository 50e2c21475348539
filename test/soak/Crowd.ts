/** What all who come and go have in common: what they were told, what they wrote down, and whether it is over. */
import * as Effect from "effect/Effect"
import { Heard } from "../../bench/utils/Talker.js"
import * as History from "../simulation/History.js"
import * as Limits from "./Limits.js"

const add = (counts: Map<string, number>, what: string) => counts.set(what, (counts.get(what) ?? 0) + 1)

export class Crowd {
  /** What is told to all, opened once. */
  readonly heard = new Heard()
  readonly history = History.make()
  /** How often each act was done, and each outcome was met with. */
  readonly acts = new Map<string, number>()
  readonly outcomes = new Map<string, number>()
  /** Held by who is at the door. */
  readonly door = Effect.unsafeMakeSemaphore(Limits.atDoor)
  private readonly ended = Effect.unsafeMakeLatch(false)
  private isEnded = false

  /** Whether they are to go home. */
  get isOver(): boolean {
    return this.isEnded
  }

  /** A round begins. */
  begin(): void {
    this.isEnded = false
    this.ended.unsafeClose()
  }

  /** Everybody is to go home. */
  end(): void {
    this.isEnded = true
    this.ended.unsafeOpen()
  }

  /** Waits so long (ms), but not beyond the end. */
  rest(time: number): Effect.Effect<void> {
    return Effect.raceFirst(Effect.sleep(time), this.ended.await)
  }

  did(act: string): void {
    add(this.acts, act)
  }

  met(outcome: string): void {
    add(this.outcomes, outcome)
  }

  problem(text: string): void {
    this.history.problems.push(text)
  }
}
