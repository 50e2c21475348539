/** A terminal: where keys come from and what is drawn on. */
import type * as Tty from "node:tty"

export interface Terminal {
  readonly input: Tty.ReadStream
  readonly output: Tty.WriteStream
  /** What tells which terminal it is. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Stops this process and those it was started with, as Ctrl-Z does in a shell; done when it goes on. */
  readonly stop: () => void
}

/** Whether a terminal can only take lines and print them. */
export const isDumb = ({ environment }: Terminal): boolean => environment.TERM === "dumb"
