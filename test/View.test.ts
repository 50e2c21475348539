import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Cells from "../src/client/terminal/Cells.js"
import * as Style from "../src/client/terminal/Style.js"
import * as View from "../src/client/terminal/View.js"

const now = 1_000_000

const model = (more: Partial<View.Model> = {}): View.Model => ({
  room: "127.0.0.1:55555",
  nick: "ada",
  count: 3,
  status: { _tag: "Online" },
  open: [],
  pending: [],
  text: "",
  cursor: 0,
  hint: undefined,
  ...more
})

const rows = (more: Partial<View.Model>, columns = 80, height = 24) =>
  View.frame(model(more), Style.make(1), { columns, rows: height }, now).rows

describe("View", () => {
  it("a line tells who is here, where, and as whom", () => {
    expect(rows({})).toEqual(["-- 3 here · 127.0.0.1:55555 · you are ada · online", "> "])
  })

  it("without a connection it tells so first, and when the next try comes", () => {
    const status = { _tag: "Reconnecting", next: now + 3400, reason: "lost", message: "" } as const
    expect(rows({ status })[0]).toBe("-- connection lost, next try in 4 s · 3 here · 127.0.0.1:55555 · you are ada")
    expect(rows({ status: { ...status, next: now - 5 } })[0]).toContain("next try in 0 s")
    expect(rows({ status: { _tag: "Connecting" } })[0]).toContain("-- connecting …")
  })

  it("why there is none is told where there is room", () => {
    const status = { _tag: "Reconnecting", next: now + 30_000, reason: "wrong-key", message: "" } as const
    expect(rows({ status })[0]).toBe("-- connection lost, next try in 30 s · not let in: is the key still right?")
    expect(rows({ status }, 120)[0]).toBe(
      "-- connection lost, next try in 30 s · not let in: is the key still right? · 3 here · 127.0.0.1:55555 · you are ada"
    )
    expect(rows({ status }, 60)[0]).toBe("-- connection lost, next try in 30 s")
    expect(rows({ status: { ...status, reason: "full" } })[0]).toContain("30 s · the server is full · 3 here")
  })

  it("in a narrow terminal what matters most is left", () => {
    expect(rows({}, 34)[0]).toBe("-- 3 here · 127.0.0.1:55555")
    expect(rows({}, 20)[0]).toBe("-- 3 here")
    expect(rows({ status: { _tag: "Reconnecting", next: now, reason: "lost", message: "" } }, 20)[0]).toBe(
      "-- connection lost…"
    )
  })

  it("what waits to be sent is shown, and told so while there is no connection", () => {
    const pending = [
      { text: "one", me: false },
      { text: "waves\nand smiles", me: true }
    ]
    expect(rows({ pending }).slice(0, 2)).toEqual(["<ada> one", "* ada waves …"])
    const status = { _tag: "Connecting" } as const
    expect(rows({ pending, status }).slice(0, 2)).toEqual(["<ada> one (not yet sent)", "* ada waves … (not yet sent)"])
    const many = Array.from({ length: 9 }, () => ({ text: "x", me: false }))
    expect(rows({ pending: many })[3]).toBe("   and 6 more texts not yet sent")
  })

  it("a text that comes near what can be said is counted", () => {
    expect(rows({ text: "x".repeat(3600) }, 80, 80)[0]).not.toContain("characters")
    expect(rows({ text: "x".repeat(3601) }, 80, 80)[0]).toContain("3601 of 4000 characters")
    // Code points, as the bound counts.
    expect(rows({ text: "😀".repeat(3700) }, 80, 200)[0]).toContain("3700 of 4000 characters")
  })

  it("a hint takes the place of the state", () => {
    expect(rows({ hint: "send 7 lines?" })).toEqual(["send 7 lines?", "> "])
  })

  it("nothing is drawn beyond the terminal, whatever its size, and the cursor is within", () => {
    const text = FastCheck.string({ unit: "grapheme", maxLength: 300 })
    const size = FastCheck.record({
      columns: FastCheck.integer({ min: 1, max: 120 }),
      rows: FastCheck.integer({ min: 1, max: 40 })
    })
    FastCheck.assert(
      FastCheck.property(text, text, size, FastCheck.boolean(), (typed, other, size, isMe) => {
        const pending = [{ text: other, me: isMe }]
        const frame = View.frame(
          model({
            text: typed,
            cursor: typed.length,
            open: ["12:00 -- bob joined"],
            pending,
            nick: other.slice(0, 32)
          }),
          Style.make(8),
          size,
          now
        )
        expect(frame.rows.length).toBeLessThanOrEqual(Math.max(size.rows - 1, 1))
        for (const row of frame.rows) expect(Cells.width(row)).toBeLessThanOrEqual(Math.max(size.columns - 1, 1))
        const { column = 0, row = 0 } = frame.cursor ?? {}
        expect(row).toBeLessThan(frame.rows.length)
        expect(column).toBeLessThan(Math.max(size.columns, 2))
      })
    )
  })
})
