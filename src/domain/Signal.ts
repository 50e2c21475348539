/** Something has changed: wakes all who wait for it. */
import * as Effect from "effect/Effect"

export class Signal {
  private readonly waiting = new Set<() => void>()

  /**
   * Waits until `ready` holds, which may change by {@link notify} only. It is asked in the same step that begins to
   * wait: asked in a step of its own, a change between the two would wake nobody.
   */
  wait(ready: () => boolean): Effect.Effect<void> {
    return Effect.async((resume) => {
      const look = () => {
        if (!ready()) return
        this.waiting.delete(look)
        resume(Effect.void)
      }
      this.waiting.add(look)
      look()
      return Effect.sync(() => this.waiting.delete(look))
    })
  }

  notify(): void {
    for (const look of this.waiting) look()
  }
}
