import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Json from "../src/domain/Json.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Messages from "./utils/Messages.js"

const id = Messages.base64Url(16)
const key = Messages.base64Url(32)
const sealed = Messages.base64Url(100)

const who = '"seq":7,"at":1760000000000,"member":3,"nick":"ada"'

/** Section 4 of the design, message by message, as it is on the wire. */
const examples = {
  up: [
    '{"_tag":"Nick","nick":"ada"}',
    `{"_tag":"Nick","nick":"ada","ticket":"${id}"}`,
    `{"_tag":"Nick","nick":"ada","ticket":"${id}","log":"${id}","after":0}`,
    `{"_tag":"Say","n":1,"sealed":"${sealed}"}`,
    '{"_tag":"Fetch","before":101,"limit":500}',
    '{"_tag":"Leave"}',
    '{"_tag":"Ping","at":1760000000000}',
    '{"_tag":"Pong","at":1760000000000}'
  ],
  down: [
    `{"_tag":"Welcome","log":"${id}","head":7,"after":0,"member":3,"nick":"ada","acked":0,"count":1}`,
    '{"_tag":"Members","members":[{"member":3,"nick":"ada"},{"member":5,"nick":"bob"}]}',
    `{"_tag":"Events","events":[{"_tag":"Joined",${who}}]}`,
    `{"_tag":"History","events":[{"_tag":"Joined",${who}}],"oldest":1}`,
    `{"_tag":"Rekey","epoch":0,"key":"${key}"}`,
    '{"_tag":"Rejected","reason":"nick-taken","detail":"somebody has it"}',
    '{"_tag":"Rejected","reason":"nick-invalid","detail":"too long"}',
    ...["quit", "taken-over", "kicked", "banned", "full", "slow", "silent", "protocol", "shutdown"].map(
      (reason) => `{"_tag":"Bye","reason":"${reason}"}`
    ),
    '{"_tag":"Ping","at":1760000000000,"last":0}',
    '{"_tag":"Pong","at":1760000000000,"last":7}'
  ],
  group: [
    `{"_tag":"Joined",${who}}`,
    `{"_tag":"Left",${who},"reason":"quit"}`,
    `{"_tag":"Left",${who},"reason":"timeout"}`,
    `{"_tag":"Left",${who},"reason":"kicked"}`,
    `{"_tag":"Renamed",${who},"was":"eve"}`,
    `{"_tag":"Chat",${who},"n":1,"sealed":"${sealed}"}`,
    '{"_tag":"Notice","seq":7,"at":1760000000000,"text":"back at noon"}'
  ]
}

const readers = {
  up: Json.strict(Protocol.UpFrame),
  down: Json.strict(Protocol.DownFrame),
  group: Json.strict(Protocol.GroupFrame)
}

type Direction = keyof typeof examples

const all = (["up", "down", "group"] as const).flatMap((direction) =>
  examples[direction].map((json) => ({ direction, json }))
)

const inFrame = (direction: Direction, items: ReadonlyArray<string>): string =>
  direction === "group" ? `{"epoch":1,"events":[${items}]}` : `{"frame":0,"messages":[${items}]}`

const read = (direction: Direction, frame: string): Either.Either<unknown, Json.Reason> =>
  readers[direction](Buffer.from(frame))

/** What reading a frame with just this item in it comes to. */
const outcome = (direction: Direction, item: string): string =>
  Either.match(read(direction, inFrame(direction, [item])), { onLeft: (reason) => reason, onRight: () => "read" })

const fieldsOf = (json: string): ReadonlyArray<[string, unknown]> => Object.entries(JSON.parse(json))

/** `json` with one field replaced, or left out when there is nothing to replace it with. */
const withField = (json: string, name: string, value: unknown): string =>
  JSON.stringify({ ...JSON.parse(json), [name]: value })

const optional = new Set(["ticket", "log", "after"])
const secret = new Set(["ticket", "log", "key", "sealed"])
const mayBeZero = new Set(["at", "after", "acked", "epoch", "last"])

describe("Protocol", () => {
  it.each(all)("$json is read, and written as it came", ({ direction, json }) => {
    const frame = inFrame(direction, [json])
    expect(Either.map(read(direction, frame), (value) => JSON.stringify(value))).toEqual(Either.right(frame))
  })

  it.each(all)("$json is refused with anything more, less or other", ({ direction, json }) => {
    expect(outcome(direction, withField(json, "_tag", "Nonsense"))).toBe("shape")
    expect(outcome(direction, withField(json, "extra", 1))).toBe("shape")
    expect(outcome(direction, json.replace("}", ',"__proto__":1}'))).toBe("shape")
    for (const [name, value] of fieldsOf(json)) {
      if (!(name === "ticket" && !json.includes('"log"')) && !(optional.has(name) && direction === "up")) {
        expect(outcome(direction, withField(json, name, undefined)), `${name} left out`).toBe("shape")
      }
      for (const other of [null, true, {}, [1], typeof value === "number" ? String(value) : 1]) {
        expect(outcome(direction, withField(json, name, other)), `${name}: ${JSON.stringify(other)}`).toBe("shape")
      }
    }
  })

  it.each(all)("$json is refused with a number that is no integer from 0 or 1 to 2^53 - 1", ({ direction, json }) => {
    expect(outcome(direction, json)).toBe("read")
    for (const [name, value] of fieldsOf(json)) {
      if (typeof value !== "number") continue
      for (const other of [-1, 0.5, 2 ** 53, 2 ** 53 + 2, 1e300]) {
        expect(outcome(direction, withField(json, name, other)), `${name}: ${other}`).toBe("shape")
      }
      expect(outcome(direction, withField(json, name, 0)), `${name}: 0`).toBe(mayBeZero.has(name) ? "read" : "shape")
      const most = name === "limit" ? 500 : Number.MAX_SAFE_INTEGER
      expect(outcome(direction, withField(json, name, most)), `${name}: ${most}`).toBe("read")
    }
  })

  it.each(all)("$json is refused with text that UTF-8 cannot carry or base64url that is not canonical", (example) => {
    const { direction, json } = example
    expect(outcome(direction, json)).toBe("read")
    for (const [name, value] of fieldsOf(json)) {
      if (typeof value !== "string") continue
      for (const other of ["\ud800", "a\udc00b", "\udc00\ud800"]) {
        expect(outcome(direction, withField(json, name, other)), `${name}: lone surrogate`).toBe("shape")
      }
      if (!secret.has(name)) continue
      const unpadded = value.replace(/=+$/, "")
      for (const other of [
        "",
        unpadded,
        `${unpadded}\n`,
        `${value}====`,
        ` ${value.slice(1)}`,
        `+${value.slice(1)}`,
        `/${value.slice(1)}`,
        // The last character carries bits that stand for nothing; here they are not zero.
        `${unpadded.slice(0, -1)}9${value.slice(unpadded.length)}`,
        // Canonical, but of another length.
        ...(name === "sealed" ? [] : [Messages.base64Url(15), Messages.base64Url(36)])
      ]) {
        expect(outcome(direction, withField(json, name, other)), `${name}: ${JSON.stringify(other)}`).toBe("shape")
      }
    }
  })

  it("a Nick names a log and a position together, and with a ticket", () => {
    const nick = { _tag: "Nick", nick: "ada", ticket: id, log: id, after: 5 }
    expect(outcome("up", JSON.stringify(nick))).toBe("read")
    for (const left of ["log", "after", "ticket"])
      expect(outcome("up", withField(JSON.stringify(nick), left, undefined)), left).toBe("shape")
  })

  it("a Fetch asks for 1 to 500 events", () => {
    const fetch = (limit: number) => outcome("up", `{"_tag":"Fetch","before":1,"limit":${limit}}`)
    expect([0, 1, 500, 501].map(fetch)).toEqual(["shape", "read", "read", "shape"])
  })

  it("a sealed text has at most 32,768 characters", () => {
    const say = (text: string) => outcome("up", `{"_tag":"Say","n":1,"sealed":"${text}"}`)
    expect(say("A".repeat(32_768))).toBe("read")
    expect(say("A".repeat(32_769))).toBe("shape")
    expect(say("A".repeat(32_772))).toBe("shape")
  })

  it("a client's frame holds 1 to 64 messages, and no list is empty", () => {
    const leaves = (count: number) => Either.isRight(read("up", inFrame("up", Array(count).fill('{"_tag":"Leave"}'))))
    expect([0, 1, 64, 65].map(leaves)).toEqual([false, true, true, false])
    expect(Either.isRight(read("down", inFrame("down", [])))).toBe(false)
    expect(Either.isRight(read("group", inFrame("group", [])))).toBe(false)
    expect(outcome("down", '{"_tag":"Members","members":[]}')).toBe("shape")
    expect(outcome("down", '{"_tag":"Events","events":[]}')).toBe("shape")
  })

  it("a frame, a member and an event in a list are refused with an excess key", () => {
    const joined = `{"_tag":"Joined",${who}}`
    const excess = `{"_tag":"Joined",${who},"extra":1}`
    expect(read("up", '{"frame":0,"messages":[{"_tag":"Leave"}],"extra":1}')).toEqual(Either.left("shape"))
    expect(read("down", '{"frame":0,"messages":[{"_tag":"Bye","reason":"quit"}],"extra":1}')).toEqual(
      Either.left("shape")
    )
    expect(read("group", `{"epoch":1,"events":[${joined}],"extra":1}`)).toEqual(Either.left("shape"))
    expect(read("group", `{"epoch":1,"events":[${joined},${excess}]}`)).toEqual(Either.left("shape"))
    expect(outcome("down", `{"_tag":"Events","events":[${excess}]}`)).toBe("shape")
    expect(outcome("down", `{"_tag":"History","events":[${excess}],"oldest":1}`)).toBe("shape")
    expect(outcome("down", '{"_tag":"Members","members":[{"member":3,"nick":"ada","extra":1}]}')).toBe("shape")
  })

  it("neither side may say what only the other says", () => {
    const strangers = (to: "up" | "down", from: "up" | "down") =>
      examples[from].filter((json) => outcome(to, json) !== "shape")
    expect(strangers("up", "down")).toEqual([])
    expect(strangers("down", "up")).toEqual([])
    expect(examples.group.map((json) => outcome("down", json))).toEqual(examples.group.map(() => "shape"))
  })

  it.each([
    ["a Rekey's key without padding", `{"_tag":"Rekey","epoch":1,"key":"${key.slice(0, -1)}"}`],
    ["a Rekey's key of another length", `{"_tag":"Rekey","epoch":1,"key":"${key.slice(0, 40)}"}`],
    ["a good key beside an excess key", `{"_tag":"Rekey","epoch":1,"key":"${key}","extra":1}`],
    ["a good key beside a bad epoch", `{"_tag":"Rekey","epoch":-1,"key":"${key}"}`],
    ["a Nick's ticket without padding", `{"_tag":"Nick","nick":"ada","ticket":"${id.slice(0, -2)}"}`],
    ["a Nick's ticket of another length", `{"_tag":"Nick","nick":"ada","ticket":"${id.slice(0, 20)}"}`],
    ["a good ticket beside a position without its log", `{"_tag":"Nick","nick":"ada","ticket":"${id}","after":1}`],
    ["a good ticket beside a bad nick", `{"_tag":"Nick","nick":1,"ticket":"${id}"}`]
  ])("what is said about %s does not repeat the secret", (_, json) => {
    const decode = Schema.decodeUnknownEither(Schema.Union(Protocol.ServerMessage, Protocol.Nick), {
      onExcessProperty: "error",
      errors: "all"
    })
    const error = Either.flip(decode(JSON.parse(json)))
    expect(Either.isRight(error)).toBe(true)
    const said = String(Either.getOrThrow(error))
    expect(said.length).toBeGreaterThan(0)
    expect(said).not.toContain((json.includes("Rekey") ? key : id).slice(0, 16))
  })

  const frames = FastCheck.oneof(
    Messages.upFrames.map((frame) => ({ direction: "up" as const, frame: JSON.stringify(frame) })),
    Messages.downFrames.map((frame) => ({ direction: "down" as const, frame: JSON.stringify(frame) })),
    Messages.groupFrames.map((frame) => ({ direction: "group" as const, frame: JSON.stringify(frame) }))
  )
  it.prop(
    "every frame that can be said is read, and written as it came",
    { sent: frames },
    ({ sent }) => {
      const json = Either.map(read(sent.direction, sent.frame), (frame) => JSON.stringify(frame))
      expect(json).toEqual(Either.right(sent.frame))
    },
    { fastCheck: { numRuns: 300 } }
  )
})

describe("secrets and ids have exactly their length", () => {
  for (const [name, is, length] of [
    ["a ticket", Schema.is(Protocol.Ticket), 16],
    ["a log's id", Schema.is(Protocol.LogId), 16],
    ["a group key", Schema.is(Protocol.Rekey.fields.key), 32]
  ] as const) {
    it(name, () => {
      const accepts = (bytes: number) => is(Messages.base64Url(bytes))
      expect([length - 2, length - 1, length, length + 1, length + 2].map(accepts)).toEqual([
        false,
        false,
        true,
        false,
        false
      ])
    })
  }
})
