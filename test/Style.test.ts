import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as Style from "../src/client/terminal/Style.js"

type Colour = readonly [number, number, number]

const steps = [0, 95, 135, 175, 215, 255]
/** A colour of xterm's 256, by its formula: 16 basic ones, a cube, greys. */
const xterm = (index: number): Colour => {
  if (index >= 232) return [8 + (index - 232) * 10, 8 + (index - 232) * 10, 8 + (index - 232) * 10]
  const of = (power: number) => steps[Math.floor((index - 16) / power) % 6] ?? 0
  return [of(36), of(6), of(1)]
}
/** xterm's own basic colours, by their SGR parameter. */
const basic: Record<number, Colour> = {
  31: [205, 0, 0],
  35: [205, 0, 205],
  91: [255, 0, 0],
  94: [92, 92, 255],
  95: [255, 0, 255]
}

// Contrast as in WCAG 2.2.
const luminance = (colour: Colour): number => {
  const [red = 0, green = 0, blue = 0] = colour.map((value) =>
    value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4
  )
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
const contrasts = (colour: Colour | undefined): number => {
  const own = luminance(colour ?? [0, 0, 0])
  return Math.min((own + 0.05) / 0.05, 1.05 / (own + 0.05))
}

const many = Style.make(8)
const paints = ["own", "mention", "dim", "bold", "warning"] as const

describe("the colours", () => {
  it.each(Style.palette)("%i of 256 can be read on black and on white", (index) => {
    expect(contrasts(xterm(index))).toBeGreaterThanOrEqual(3)
  })

  it.each(Style.basic)("%i of 16 can be read on black and on white", (parameter) => {
    expect(contrasts(basic[parameter])).toBeGreaterThanOrEqual(3)
  })

  it("what is dim or a warning can be read as well", () => {
    for (const name of ["dim", "warning"] as const) {
      const index = Number(/38;5;(\d+)m/.exec(many[name]("x"))?.[1])
      expect(contrasts(xterm(index))).toBeGreaterThanOrEqual(3)
    }
  })

  it("are all different", () => {
    expect(new Set(Style.palette).size).toBe(Style.palette.length)
  })
})

describe("a nick's colour", () => {
  it.each([
    ["ada", "Ada"],
    ["ada", "ａｄａ"],
    ["zoë", "ZOE\u0308"]
  ])("is the same for %s and %s", (one, other) => {
    expect(many.nick(one)("x")).toBe(many.nick(other)("x"))
  })

  it.each([
    [4, Style.basic.length],
    [8, Style.palette.length],
    [24, Style.palette.length]
  ])("at depth %i is any of %i, each as often", (depth, count) => {
    const style = Style.make(depth)
    const found = new Map<string, number>()
    for (let index = 0; index < 100 * count; index++) {
      const shown = style.nick(`nick${index}`)("x")
      found.set(shown, (found.get(shown) ?? 0) + 1)
    }
    expect(found.size).toBe(count)
    expect(Math.max(...found.values())).toBeLessThan(200)
  })
})

describe("a look", () => {
  it.each([0, 1])("at depth %i leaves the text as it is", (depth) => {
    const style = Style.make(depth)
    for (const name of paints) expect(style[name]("text")).toBe("text")
    expect(style.nick("ada")("text")).toBe("text")
  })

  it.prop(
    "ends behind the text, and only itself, whatever is styled within",
    [fc.constantFrom(4, 8, 24), fc.array(fc.constantFrom(...paints), { minLength: 1, maxLength: 4 })],
    ([depth, names]) => {
      const style = Style.make(depth)
      const shown = names.reduce((text, name) => `a${style[name](`b${text}c`)}d`, "x")
      // Every piece but the last is under the outermost look, which is the last named.
      const [open = ""] = /^\x1b\[[\d;]*m/.exec(style[names.at(-1) ?? "bold"]("x")) ?? []
      expect(shown.startsWith(`a${open}b`)).toBe(true)
      expect(shown).not.toMatch(/\x1b\[0?m/)
      const close = style[names.at(-1) ?? "bold"]("x").slice(open.length + 1)
      expect(shown.endsWith(`c${close}d`)).toBe(true)
      // What ends the attribute within begins it again at once.
      expect(shown.slice(0, -close.length - 1).replaceAll(close + open, "")).not.toContain(close)
    }
  )

  it("of nothing is nothing", () => {
    expect(many.bold("")).toBe("")
  })
})
