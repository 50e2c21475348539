/** A text that was written to the standard input of a client. No two of a run are the same. */
export interface Written {
  readonly client: string
  /** The life it was written to, counted from 0. */
  readonly life: number
  readonly text: string
  /** When, in ms since 1970. */
  readonly at: number
  /**
   * Why its client has to see to it, though it was killed in that life and had not shown it: it was in its outbox file
   * (`kept`), or was written so long before that it ought to have been (`due`).
   */
  claim: "kept" | "due" | undefined
}

/** How it is shown. */
export const line = ({ client, text }: Pick<Written, "client" | "text">): string => `<${client}> ${text}`
