import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import type * as Schema from "effect/Schema"
import * as Json from "../src/domain/Json.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Seal from "../src/domain/Seal.js"
import * as Shortcut from "../src/domain/Shortcut.js"
import * as Messages from "./utils/Messages.js"

const id = Messages.base64Url(16)
const who = '"seq":7,"at":1760000000000,"member":3,"nick":"ada"'
const sealed = Messages.base64Url(100)
const say = `{"_tag":"Say","n":1,"sealed":"${sealed}"}`
const chat = `{"_tag":"Chat",${who},"n":1,"sealed":"${sealed}"}`
const events = (...items: ReadonlyArray<string>) => `{"_tag":"Events","events":[${items}]}`
const joined = `{"_tag":"Joined",${who}}`
const text = (said: string) => `{"log":"${id}","member":3,"n":1,"nick":"ada","text":${JSON.stringify(said)}}`

interface Subject {
  /** What it makes of JSON, with the shortcut and without. */
  readonly read: (json: string | Uint8Array) => readonly [short: unknown, long: unknown]
  readonly isKnown: (value: unknown) => boolean
  /** JSON that is known at once. */
  readonly known: ReadonlyArray<string>
  /** JSON that is left to the schema, and accepted. */
  readonly left: ReadonlyArray<string>
}

const subject = <A, I>(
  make: (
    schema: Schema.Schema<A, I>,
    isKnown?: (value: unknown) => value is A
  ) => (bytes: Uint8Array) => Either.Either<A, Json.Reason>,
  schema: Schema.Schema<A, I>,
  isKnown: (value: unknown) => value is A,
  examples: Pick<Subject, "known" | "left">
): Subject => {
  const [short, long] = [make(schema, isKnown), make(schema)]
  return { read: (json) => [short(Buffer.from(json)), long(Buffer.from(json))], isKnown, ...examples }
}

const frame = (...messages: ReadonlyArray<string>) => `{"frame":0,"messages":[${messages}]}`
const group = (...items: ReadonlyArray<string>) => `{"epoch":1,"events":[${items}]}`

const subjects: Record<string, Subject> = {
  "a frame of a client": subject(Json.strict, Protocol.UpFrame, Shortcut.isUpFrame, {
    known: [frame(say), frame(say, say), frame(...Array.from({ length: 64 }, () => say))],
    left: [frame('{"_tag":"Leave"}'), frame(say, '{"_tag":"Ping","at":1}')]
  }),
  "a frame to one client": subject(Json.strict, Protocol.DownFrame, Shortcut.isDownFrame, {
    known: [frame(events(chat)), frame(events(chat, chat), events(chat))],
    left: [frame(events(chat, joined)), frame('{"_tag":"Ping","at":1,"last":0}')]
  }),
  "a frame to all": subject(Json.strict, Protocol.GroupFrame, Shortcut.isGroupFrame, {
    known: [group(chat), group(chat, chat, chat)],
    left: [group(joined), group(chat, joined)]
  }),
  "what a seal holds": subject(Json.open, Seal.Sealed, Shortcut.isSealed, {
    known: [text("hello"), text('→ 😀\n\u0000"'), text("a".repeat(2_000)), text("😀".repeat(1_000))],
    left: [
      text("a".repeat(4_000)),
      text("😀".repeat(4_000)),
      text("hello").replace("}", ',"me":true}'),
      text("hello").replace("}", ',"more":1}')
    ]
  })
}

/** JSON of numbers, texts and other things that no field should take, or that JSON.parse reads in a way of its own. */
const values = [
  ..."0 -0 1 -1 0.5 1.0 1e0 1e3 1e400 -1e400 1e-400 9007199254740991 9007199254740992 9007199254740993".split(" "),
  ...'null true {} [] [1] "" "1" "a" "\\ud800" "\\udc00\\ud800" "\\ud83d\\ude00"'.split(" "),
  ...[
    "AA==",
    "AB==",
    "AAA=",
    "AAAA",
    "AA",
    "A+/A",
    "====",
    "AAA\\n",
    "AAAé",
    id,
    `${id}AAAA`,
    `${id.slice(0, -3)}B==`
  ].map((seal) => `"${seal}"`),
  `"${"A".repeat(Protocol.maxSealed)}"`,
  `"${"A".repeat(Protocol.maxSealed + 4)}"`,
  `"${"a".repeat(Seal.maxText + 1)}"`,
  `"${"😀".repeat(Seal.maxText + 1)}"`,
  ...['"Say"', '"Chat"', '"Events"', '"Joined"', '"say"', say, chat]
]

const fields = /"(\w+)":("(?:[^"\\]|\\.)*"|-?[\d.e+]+)/g

/** A field of some JSON: what is before it, its name and value, what is after it. */
interface Field {
  readonly before: string
  readonly name: string
  readonly value: string
  readonly after: string
}

/** One change each to JSON, at a field. */
const changes: ReadonlyArray<(json: string, field: Field, value: string) => string> = [
  // Another value, name, or field; or none.
  (_, { after, before, name }, value) => `${before}"${name}":${value}${after}`,
  (_, { after, before, name, value }) => `${before}"${name}x":${value}${after}`,
  (_, { after, before }, value) => `${before}"extra":${value}${after}`,
  (_, { after, before }) => `${before}${after.replace(/^,/, "")}`,
  // One more, also twice the same.
  (_, field, value) => `${field.before}"${field.name}":${field.value},"extra":${value}${field.after}`,
  (_, field, value) => `${field.before}"${field.name}":${field.value},"__proto__":${value}${field.after}`,
  (_, field, value) => `${field.before}"${field.name}":${value},"${field.name}":${field.value}${field.after}`,
  (_, field, value) => `${field.before}"${field.name}":${field.value},"${field.name}":${value}${field.after}`,
  // Another list, or one item more.
  (json, _, value) => json.replace(/\[.*\]/s, () => value),
  (json, _, value) => json.replace(/\[(.*)\]/s, (_, items) => `[${items},${value}]`),
  // Two fields in each other's place.
  (json) => json.replace(/\{("_?\w+":[^,{[]+),("\w+":[^,{[}]+)/, "{$2,$1"),
  (_, { after, before }, value) => before + value + after
]

const mutate = (json: string, change: number, at: number, value: string): string => {
  const found = [...json.matchAll(fields)]
  const field = found[at % found.length]
  if (field === undefined) return json
  const [whole, name = "", old = ""] = field
  const after = json.slice(field.index + whole.length)
  return changes[change]?.(json, { before: json.slice(0, field.index), name, value: old, after }, value) ?? json
}

/** Values as they are written, so that -0, order and missing fields count. */
const written = (read: unknown): string =>
  JSON.stringify(read, (_, value) => (Object.is(value, -0) ? "-0" : value === Number.POSITIVE_INFINITY ? "inf" : value))

describe("Shortcut", () => {
  it.each(Object.entries(subjects))(
    "%s: what is said all the time is known at once, the rest is left",
    (_, subject) => {
      for (const json of subject.known) expect(subject.isKnown(JSON.parse(json)), json).toBe(true)
      for (const json of subject.left) expect(subject.isKnown(JSON.parse(json)), json).toBe(false)
      for (const json of [...subject.known, ...subject.left]) {
        const [short, long] = subject.read(json)
        expect(Either.isEither(long) && Either.isRight(long)).toBe(true)
        expect(written(short)).toBe(written(long))
      }
    }
  )

  it.each(Object.entries(subjects))("%s: every change is judged as the schema judges it", (_, subject) => {
    let refused = 0
    for (const json of [subject.known[0] ?? ""]) {
      const count = Math.min([...json.matchAll(fields)].length, 8)
      for (let change = 0; change < changes.length; change++) {
        for (let at = 0; at < count; at++) {
          for (const value of values) {
            const mutated = mutate(json, change, at, value)
            const [short, long] = subject.read(mutated)
            expect(written(short), mutated.slice(0, 500)).toBe(written(long))
            if (Either.isEither(long) && Either.isLeft(long)) refused += 1
          }
        }
      }
    }
    expect(refused).toBeGreaterThan(200)
  })

  it.prop(
    "several changes at once are judged as the schema judges them",
    [
      FastCheck.constantFrom(
        ...Object.values(subjects).flatMap((subject) => subject.known.map((json) => ({ subject, json })))
      ),
      FastCheck.array(
        FastCheck.tuple(FastCheck.nat(changes.length - 1), FastCheck.nat(), FastCheck.constantFrom(...values)),
        {
          minLength: 1,
          maxLength: 4
        }
      )
    ],
    ([{ json, subject }, several]) => {
      const mutated = several.reduce((json, [change, at, value]) => mutate(json, change, at, value), json)
      const [short, long] = subject.read(mutated)
      expect(written(short)).toBe(written(long))
    },
    { fastCheck: { numRuns: 1_500 } }
  )

  it.prop(
    "any frame is read as the schema reads it",
    { up: Messages.upFrames, down: Messages.downFrames, group: Messages.groupFrames },
    ({ down, group, up }) => {
      const cases = [
        ["a frame of a client", up],
        ["a frame to one client", down],
        ["a frame to all", group]
      ] as const
      for (const [name, frame] of cases) {
        const [short, long] = subjects[name]?.read(JSON.stringify(frame)) ?? []
        expect(written(short)).toBe(written(long))
      }
    }
  )

  it.prop(
    "any bytes are read as the schema reads them",
    [FastCheck.constantFrom(...Object.values(subjects)), FastCheck.nat(), FastCheck.nat(255)],
    ([subject, at, byte]) => {
      const bytes = Buffer.from(subject.known[0] ?? "")
      bytes[at % bytes.length] = byte
      const [short, long] = subject.read(bytes)
      expect(written(short)).toBe(written(long))
    },
    { fastCheck: { numRuns: 2_000 } }
  )
})
