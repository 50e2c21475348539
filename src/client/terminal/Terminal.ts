/** A terminal: where keys come from and what is drawn on. */
import type * as Tty from "node:tty"

export interface Terminal {
  readonly input: Tty.ReadStream
  readonly output: Tty.WriteStream
  /** Whether it can only take lines and print them, as `TERM=dumb` says. */
  readonly isDumb: boolean
  /** Stops this process, as Ctrl-Z does; done when it goes on. */
  readonly stop: () => void
}
