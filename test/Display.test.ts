import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import type * as Entry from "../src/client/Entry.js"
import * as Display from "../src/client/terminal/Display.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Entries from "./utils/Entries.js"

// Written apart from the module's own pattern: every control of C0, DEL and C1, every bidi control, every separator.
const controls = [
  ...Arr.range(0x00, 0x1f),
  ...Arr.range(0x7f, 0x9f),
  ...[0x061c, 0x200e, 0x200f],
  ...[0x202a, 0x202b, 0x202c, 0x202d, 0x202e],
  ...[0x2066, 0x2067, 0x2068, 0x2069],
  ...[0x2028, 0x2029]
].map((code) => String.fromCodePoint(code))

const event = { seq: 9, at: 0, member: 3 }

/** Every kind of entry, with this in all that a stranger chooses. */
const entriesWith = (remote: string): ReadonlyArray<Entry.Entry> => [
  Entries.said(remote, remote),
  Entries.said(remote, remote, { me: true }),
  ...(["key", "content", "mismatch", "number"] as const).map((reason) => Entries.unreadable(remote, reason)),
  Entries.event({ _tag: "Joined", ...event, nick: remote }),
  ...(["quit", "timeout", "kicked"] as const).map((reason) =>
    Entries.event({ _tag: "Left", ...event, nick: remote, reason })
  ),
  Entries.event({ _tag: "Renamed", ...event, nick: remote, was: remote }),
  Entries.event({ _tag: "Notice", seq: 9, at: 0, text: remote })
]

const layouts = { oneLine: Display.oneLine, indented: Display.indented }

describe("Display", () => {
  it("controls are made visible, and nothing else is touched", () => {
    for (const control of controls) {
      const shown = Display.harmless(`a${control}b`)
      expect(shown).toMatch(/^a(\^.|<U\+[0-9A-F]{4}>)b$/)
      expect(controls.filter((any) => shown.includes(any))).toEqual([])
    }
    // No two look the same.
    expect(new Set(controls.map(Display.harmless)).size).toBe(controls.length)
    expect(Display.harmless("\u001b[31m\u0000\u007f\u009b\u202e")).toBe("^[[31m^@^?<U+009B><U+202E>")
    const plain = "Zoë → 😀 e\u0301 שלום <b> ^ \\n \u00a0"
    expect(Display.harmless(plain)).toBe(plain)
    expect(Display.oneLine(plain)).toBe(plain)
    expect(Display.indented(plain)).toBe(plain)
  })

  it("one line shows newlines and tabs as they are written in code", () => {
    expect(Display.oneLine("a\nb\tc\r\n")).toBe("a\\nb\\tc^M\\n")
    for (const control of controls) {
      expect(controls.filter((any) => Display.oneLine(`a${control}b`).includes(any))).toEqual([])
    }
  })

  it("further lines are indented, tabs become spaces, and all other controls are shown", () => {
    expect(Display.indented("a\nb\tc\n\nd")).toBe("a\n    b    c\n    \n    d")
    expect(Display.indented("a\r\nb\rc")).toBe("a^M\n    b^Mc")
    for (const control of controls) {
      const rest = Display.indented(`a${control}b`).replaceAll("\n    ", "")
      expect(controls.filter((any) => rest.includes(any))).toEqual([])
    }
  })

  it.each(Arr.range(0, entriesWith("ada").length - 1))("no remote control is left in an entry (%i)", (index) => {
    const format = (remote: string, layout: (text: string) => string) => {
      const entry = entriesWith(remote)[index] ?? expect.unreachable("there is one")
      return Display.format(entry, layout)
    }
    expect(format("someone", Display.oneLine)).toContain("someone")
    for (const control of controls) {
      const remote = `x${control}<bob> hello`
      const one = format(remote, Display.oneLine)
      expect(controls.filter((any) => one.includes(any))).toEqual([])
      // No line of an entry but its first starts at the margin, whatever a stranger wrote.
      const lines = format(remote, Display.indented).split("\n")
      expect(lines.slice(1).filter((line) => !line.startsWith("    "))).toEqual([])
      expect(controls.filter((any) => lines.join("").includes(any))).toEqual([])
    }
  })

  it.each(Object.entries(layouts))("each kind of entry reads as one line (%s)", (_, layout) => {
    expect(entriesWith("ada").map((entry) => Display.format(entry, layout))).toEqual([
      "<ada> ada",
      "* ada ada",
      "-- a text in the name of ada is not shown: it was sealed with another key",
      "-- a text in the name of ada is not shown: what was sealed is not a text",
      "-- a text in the name of ada is not shown: it was sealed for another place, or in another's name",
      "-- a text in the name of ada is not shown: texts before it are missing, or it is a repeat",
      "-- ada joined",
      "-- ada left",
      "-- ada lost the connection",
      "-- ada was put out by the operator",
      "-- ada is now ada",
      "-- the operator says: ada"
    ])
  })

  it("a rename names the old nick first", () => {
    const entry = Entries.event({ _tag: "Renamed", ...event, nick: "zoë", was: "ada" })
    expect(Display.format(entry, Display.oneLine)).toBe("-- ada is now zoë")
  })

  it("who is back is told how much has come meanwhile", () => {
    const back: Entry.Entry = { _tag: "Back", after: Protocol.Position.make(3), head: Protocol.Seq.make(9) }
    expect(Display.format(back, Display.oneLine)).toBe("-- back: 6 events have come while you were away")
  })

  it("the time has hours and minutes of two digits, where the reader is", () => {
    expect(Display.time(new Date(2026, 0, 2, 3, 4, 59).getTime())).toBe("03:04")
    expect(Display.time(new Date(2026, 0, 2, 23, 59).getTime())).toBe("23:59")
  })
})
