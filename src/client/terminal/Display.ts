/**
 * How an entry reads as text. Whatever came from elsewhere is made harmless first: a terminal must show it, never obey
 * it.
 */
import type { Entry, Unreadable } from "../Entry.js"
import type { Trouble } from "./Troubles.js"

/** C0 and C1 controls, DEL, line and paragraph separators, and the controls that reorder text. */
export const harmful = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

const visible = (character: string): string => {
  const code = character.charCodeAt(0)
  if (code < 0x20) return `^${String.fromCharCode(code + 0x40)}`
  if (code === 0x7f) return "^?"
  return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`
}

/** Remote text on one line: controls are shown as `^X` or `<U+XXXX>`. */
export const harmless = (text: string): string => text.replace(harmful, visible)

/** Remote text on one line for a pipe: newlines and tabs as `\n` and `\t`, other controls shown. */
export const oneLine = (text: string): string => harmless(text.replaceAll("\n", "\\n").replaceAll("\t", "\\t"))

/** Remote text for a terminal: a line break in it begins an indented line, not one that looks like a message. */
export const indented = (text: string): string =>
  text
    .split("\n")
    .map((line) => line.split("\t").map(harmless).join("    "))
    .join("\n    ")

const broken: Record<Unreadable["reason"], string> = {
  key: "it was sealed with another key",
  content: "what was sealed is not a text",
  mismatch: "it was sealed for another place, or in another's name",
  number: "texts before it are missing, or it is a repeat"
}

/** How the parts of an entry look, where there are colours. */
export interface Look {
  /** What shows a nick, as in `<ada>`; `own` for this member's. */
  readonly nick: (nick: string, own: boolean) => (shown: string) => string
  /** What happens beside what is said. */
  readonly aside: (text: string) => string
  /** What is not as it should be. */
  readonly warning: (text: string) => string
}

const same = (text: string): string => text

/** No colours. */
export const plain: Look = { nick: () => same, aside: same, warning: same }

/** An entry in words; `layout` lays out what its author wrote. */
export const format = (entry: Entry, layout: (text: string) => string, look: Look = plain): string => {
  switch (entry._tag) {
    case "Said": {
      const nick = harmless(entry.nick)
      const by = look.nick(entry.nick, entry.own)
      return entry.me ? `* ${by(nick)} ${layout(entry.text)}` : `${by(`<${nick}>`)} ${layout(entry.text)}`
    }
    case "Unreadable":
      return look.warning(`-- a text in the name of ${harmless(entry.nick)} is not shown: ${broken[entry.reason]}`)
    case "Joined":
      return look.aside(`-- ${harmless(entry.nick)} joined`)
    case "Left":
      return look.aside(
        `-- ${harmless(entry.nick)} ${
          { quit: "left", timeout: "lost the connection", kicked: "was put out by the operator" }[entry.reason]
        }`
      )
    case "Renamed":
      return look.aside(`-- ${harmless(entry.was)} is now ${harmless(entry.nick)}`)
    case "Notice":
      return `-- the operator says: ${layout(entry.text)}`
    case "Missing":
      return look.warning(`-- ${entry.to - entry.after} events are missing here: the server no longer has them`)
    case "Back":
      return look.aside(`-- back: ${entry.head - entry.after} events have come while you were away`)
    case "NewLog":
      return look.warning("-- the server has begun a new log: what was said before is not in it")
  }
}

/** What is said of a lost connection, once, until there is one again. */
export const reconnecting = "reconnecting …"

/** What is said of the connection. */
export const trouble = (trouble: Trouble): string => (trouble._tag === "Lost" ? reconnecting : trouble.message)

const two = (value: number): string => String(value).padStart(2, "0")

/** Hours and minutes of `at` (ms) where the reader is. */
export const time = (at: number): string => {
  const date = new Date(at)
  return `${two(date.getHours())}:${two(date.getMinutes())}`
}

/** The day of `at` (ms) where the reader is, as in 2026-01-31. */
export const day = (at: number): string => {
  const date = new Date(at)
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

/** The weekday of `at` (ms) where the reader is. */
export const weekday = (at: number): string => weekdays[new Date(at).getDay()] ?? ""
