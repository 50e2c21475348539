/** Something has changed: wakes all who wait for it. Whoever is woken looks again; the signal itself says nothing. */
import * as Effect from "effect/Effect"

export class Signal {
  private readonly waiting = new Set<() => void>()

  /** Waits for the next {@link notify}. */
  readonly wait: Effect.Effect<void> = Effect.async((resume) => {
    const proceed = () => resume(Effect.void)
    this.waiting.add(proceed)
    return Effect.sync(() => this.waiting.delete(proceed))
  })

  notify(): void {
    if (this.waiting.size === 0) return
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const proceed of waiting) proceed()
  }
}
