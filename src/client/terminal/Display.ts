/**
 * How an entry reads as text. Whatever came from elsewhere is made harmless first: a terminal must show it, never obey
 * it.
 */
import type { Entry, Unreadable } from "../Entry.js"

// C0 and C1 controls, DEL, line and paragraph separators, and the controls that reorder text.
const harmful = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

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

/** An entry in words; `layout` lays out what its author wrote. */
export const format = (entry: Entry, layout: (text: string) => string): string => {
  switch (entry._tag) {
    case "Said":
      return entry.me
        ? `* ${harmless(entry.nick)} ${layout(entry.text)}`
        : `<${harmless(entry.nick)}> ${layout(entry.text)}`
    case "Unreadable":
      return `-- a text in the name of ${harmless(entry.nick)} is not shown: ${broken[entry.reason]}`
    case "Joined":
      return `-- ${harmless(entry.nick)} joined`
    case "Left":
      return `-- ${harmless(entry.nick)} ${
        { quit: "left", timeout: "lost the connection", kicked: "was put out by the operator" }[entry.reason]
      }`
    case "Renamed":
      return `-- ${harmless(entry.was)} is now ${harmless(entry.nick)}`
    case "Notice":
      return `-- the operator says: ${layout(entry.text)}`
    case "Missing":
      return `-- ${entry.to - entry.after} events are missing here: the server no longer has them`
    case "Back":
      return `-- back: ${entry.head - entry.after} events have come while you were away`
    case "NewLog":
      return "-- the server has begun a new log: what was said before is not in it"
  }
}

/** What is said of a lost connection, once, until there is one again. */
export const reconnecting = "reconnecting …"

/** Hours and minutes of `at` (ms) where the reader is. */
export const time = (at: number): string => {
  const date = new Date(at)
  return `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`
}
