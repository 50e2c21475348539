/**
 * What is drawn below the messages: what is still open, what waits to be sent, a line on the state of things, and the
 * text that is being typed. Pure.
 */
import * as Seal from "../../domain/Seal.js"
import type { Status } from "../Presence.js"
import * as Cells from "./Cells.js"
import * as Display from "./Display.js"
import type { Frame, Size } from "./Screen.js"
import type { Style } from "./Style.js"

export interface Model {
  /** The address of the server. */
  readonly room: string
  readonly nick: string
  /** Members who are here. */
  readonly count: number
  readonly status: Status
  /** Rows that may still change. */
  readonly open: ReadonlyArray<string>
  /** What was said and is not in the log, the oldest first. */
  readonly pending: ReadonlyArray<{ readonly text: string; readonly me: boolean }>
  readonly text: string
  /** Where the cursor stands in `text`. */
  readonly cursor: number
  /** A question about it, or a hint, in place of the state of things. */
  readonly hint: string | undefined
}

const prompt = "> "

/** Texts that wait are shown so many; of more, how many they are. */
const fewPending = 3

/** From so many characters on it is told how long a text is. */
const nearLimit = Seal.maxText - 400

/** Joins what fits into `columns`; the first parts matter most. */
const joinFitting = (parts: ReadonlyArray<string>, columns: number): string => {
  for (let count = parts.length; count > 1; count--) {
    const joined = parts.slice(0, count).join(" · ")
    if (Cells.width(joined) <= columns) return joined
  }
  return Cells.cut(parts[0] ?? "", columns)
}

type Reconnecting = Extract<Status, { readonly _tag: "Reconnecting" }>

/** In short why there is no connection, where that says more than that there is none. */
const reasons: Partial<Record<Reconnecting["reason"], string>> = {
  "wrong-key": "not let in: is the key still right?",
  unreachable: "the server cannot be reached",
  silent: "nothing was heard",
  full: "the server is full",
  slow: "this connection was too slow",
  shutdown: "the server was shut down"
}

const reasonOf = (status: Status): ReadonlyArray<string> => {
  const reason = status._tag === "Reconnecting" ? reasons[status.reason] : undefined
  return reason === undefined ? [] : [reason]
}

const connection = (status: Status, now: number): string => {
  switch (status._tag) {
    case "Online":
      return "online"
    case "Connecting":
      return "connecting …"
    case "Reconnecting":
      return `connection lost, next try in ${Math.max(Math.ceil((status.next - now) / 1000), 0)} s`
    case "Closed":
      return "left"
  }
}

const pendingRow = ({ me, text }: Model["pending"][number], { nick, status }: Model): string => {
  const [first = "", ...rest] = text.split("\n")
  const shown = Display.harmless(rest.length > 0 ? `${first} …` : first)
  const mark = status._tag === "Online" ? "" : " (not yet sent)"
  const by = Display.harmless(nick)
  return me ? `* ${by} ${shown}${mark}` : `<${by}> ${shown}${mark}`
}

/** The rows below the messages, and the cursor in them; `now` in ms. */
export const frame = (model: Model, style: Style, { columns, rows }: Size, now: number): Frame => {
  const { hint, pending, room, status, text } = model
  // The last column stays free: a terminal wraps as soon as it is written.
  const width = Math.max(columns - 1, 1)
  const length = Array.from(text).length
  const parts = [
    ...(length > nearLimit ? [`${length} of ${Seal.maxText} characters`] : []),
    ...(status._tag === "Online" ? [] : [connection(status, now), ...reasonOf(status)]),
    `${model.count} here`,
    room,
    `you are ${Display.harmless(model.nick)}`,
    ...(status._tag === "Online" ? ["online"] : [])
  ]
  const isUsual = status._tag === "Online" && hint === undefined && length <= Seal.maxText
  const state = (isUsual ? style.dim : style.warning)(Cells.cut(hint ?? `-- ${joinFitting(parts, width - 3)}`, width))
  const waiting = pending.slice(0, fewPending).map((item) => style.dim(Cells.cut(pendingRow(item, model), width)))
  if (pending.length > fewPending) {
    waiting.push(style.dim(Cells.cut(`   and ${pending.length - fewPending} more texts not yet sent`, width)))
  }
  const above = [...model.open.map((row) => Cells.cut(row, width)), ...waiting, state]
  // The text that is typed matters most, then the state.
  const input = Cells.window(Cells.layout(text, model.cursor, columns, prompt), rows - 2)
  const place = Math.max(rows - 1 - input.rows.length, 0)
  const shown = place === 0 ? [] : above.slice(-place)
  return {
    rows: [...shown, ...input.rows],
    cursor: { row: shown.length + input.cursor.row, column: input.cursor.column }
  }
}
