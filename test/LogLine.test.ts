import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import * as FiberId from "effect/FiberId"
import * as FiberRefs from "effect/FiberRefs"
import * as HashMap from "effect/HashMap"
import * as List from "effect/List"
import type * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as LogLine from "../src/cli/LogLine.js"

const date = new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678))

const event = (
  message: unknown,
  annotations: Record<string, unknown> = {},
  cause: Cause.Cause<unknown> = Cause.empty,
  logLevel: LogLevel.LogLevel = LogLevel.Info
): Logger.Logger.Options<unknown> => ({
  message,
  annotations: HashMap.fromIterable(Object.entries(annotations)),
  cause,
  logLevel,
  date,
  context: FiberRefs.empty(),
  fiberId: FiberId.none,
  spans: List.empty()
})

const text = fc.string({ unit: "binary" })
const fields = fc.dictionary(
  fc.oneof(fc.stringMatching(/^[a-z_]{1,8}$/), fc.constantFrom("time", "level", "message", "a b")),
  fc.oneof(text, fc.double(), fc.boolean(), fc.bigInt())
)

/** What a reader of logfmt makes of a line: names, and values that are quoted as JSON or bare. */
const parseLogfmt = (line: string): Record<string, string> => {
  const found: Record<string, string> = {}
  let rest = line
  while (rest !== "") {
    const [all = "", name = "", quoted, bare] = /^([^\s="]+)=(?:("(?:[^"\\]|\\.)*")|([^\s"=]+))(?: |$)/.exec(rest) ?? []
    if (all === "") throw new Error(`this is no logfmt: ${rest}`)
    found[name] = quoted === undefined ? (bare ?? "") : JSON.parse(quoted)
    rest = rest.slice(all.length)
  }
  return found
}

/** What no terminal may be sent: controls, and what reorders text. */
const isHarmless = (line: string) =>
  !/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/.test(line)

const formats = ["pretty", "json", "logfmt"] as const

const own = { time: "2026-01-02T03:04:05.678Z", level: "info" }

describe("a line of the log", () => {
  it.prop(
    "as JSON is one object on one line, with the annotations as its fields",
    [text, fields],
    ([message, given]) => {
      const line = LogLine.render("json", event(message, given))
      expect(isHarmless(line)).toBe(true)
      const expected = Object.fromEntries(
        Object.entries(given).map(([name, value]) => [
          name,
          typeof value === "boolean" || Number.isFinite(value) ? (Object.is(value, -0) ? 0 : value) : String(value)
        ])
      )
      expect(JSON.parse(line)).toEqual({ ...expected, ...own, message })
    }
  )

  it.prop("as logfmt is names and values on one line", [text, fields], ([message, given]) => {
    const line = LogLine.render("logfmt", event(message, given))
    expect(isHarmless(line)).toBe(true)
    const expected = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [name.replace(/ /g, "_"), String(value)])
    )
    expect(parseLogfmt(line)).toEqual({ ...expected, ...own, message })
  })

  it.prop("for people is one line that is shown and not obeyed", [text, fields], ([message, given]) => {
    const line = LogLine.render("pretty", event(message, given))
    expect(isHarmless(line)).toBe(true)
    expect(line.startsWith(`${own.time} `)).toBe(true)
  })

  it("for people reads as it always did", () => {
    expect(LogLine.render("pretty", event("refused: full", { from: "127.0.0.1:1" }))).toBe(
      `${own.time} refused: full from=127.0.0.1:1`
    )
    expect(LogLine.render("pretty", event(["a", "b"], {}, Cause.empty, LogLevel.Error))).toBe(`${own.time} ERROR a b`)
  })

  it.each(formats)("as %s tells of a defect where it comes from", (format) => {
    const line = LogLine.render(format, event("it has died", {}, Cause.die(new TypeError("not a function"))))
    expect(line).toContain("TypeError: not a function")
    expect(line).toContain("LogLine.test.ts")
    expect(line.split("\n").length > 1).toBe(format === "pretty")
  })

  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
  const base64Url = (raw: Uint8Array) => Buffer.from(raw).toString("base64").replaceAll("+", "-").replaceAll("/", "_")
  const secrets = {
    key: bytes(32).map(base64Url),
    ticket: bytes(16).map(base64Url),
    invite: bytes(32).map((raw) => `chat://127.0.0.1:1#v1.${base64Url(raw)}`),
    token: fc.uint8Array({ minLength: 73, maxLength: 200 }).map((raw) => {
      // Version 0x80, and a time of which the first bytes are 0 for centuries.
      raw.set([0x80, 0, 0, 0], 0)
      return base64Url(raw)
    })
  }
  for (const [what, secret] of Object.entries(secrets)) {
    it.prop(
      `never holds a ${what}, wherever it stands`,
      [secret, fc.constantFrom(...formats), fc.constantFrom(" ", "\n", '"', ":", "/", "=", "")],
      ([hidden, format, beside]) => {
        const around = `a${beside === "" ? " " : beside}${hidden}${beside === "=" ? " " : beside}z`
        const line = LogLine.render(
          format,
          event(around, { from: around, detail: hidden }, Cause.die(new Error(around, { cause: new Error(hidden) })))
        )
        // An invite holds its key behind an address.
        expect(line).not.toContain(hidden.replace(/^.*#v1\./, ""))
        expect(line.match(/\(a (key|ticket|token)\)/g)?.length ?? 0).toBeGreaterThanOrEqual(4)
      }
    )
  }
})

const level = (flag: string | undefined, variables: Record<string, string>) =>
  Effect.withConfigProvider(LogLine.level(flag), ConfigProvider.fromMap(new Map(Object.entries(variables))))

describe("the level", () => {
  it.effect("is the flag's, else the variable's, else info", () =>
    Effect.gen(function* () {
      expect(yield* level("debug", { CHAT_LOG_LEVEL: "error" })).toBe(LogLevel.Debug)
      expect(yield* level(undefined, { CHAT_LOG_LEVEL: "error" })).toBe(LogLevel.Error)
      expect(yield* level(undefined, { CHAT_LOG_LEVEL: "" })).toBe(LogLevel.Info)
      expect(yield* level(undefined, {})).toBe(LogLevel.Info)
    })
  )

  it.effect.each(["loud", "INFO", ""])("is one there is: %s is none", (name) =>
    Effect.map(Effect.flip(level(name, {})), (error) =>
      expect(String(error)).toContain(
        "--log-level or $CHAT_LOG_LEVEL is one of all, trace, debug, info, warning, error, fatal, none"
      )
    )
  )
})
