import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { Framer, lineLimit } from "../src/domain/Framer.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Wire from "../src/domain/Wire.js"
import { ruleOf } from "./utils/Faults.js"
import * as Frames from "./utils/Frames.js"
import * as Messages from "./utils/Messages.js"

const { fernet, group, session, stranger } = Frames

const upWriter = () => new Wire.Writer<Protocol.ClientMessage>(fernet, session, Protocol.maxMessages)
const downWriter = () => new Wire.Writer<Protocol.ServerMessage>(fernet, session)
const upReader = () => new Wire.UpReader(fernet, session)
const downReader = () => new Wire.DownReader(fernet, session)

const notice = (seq: number, text: string) => Messages.event({ _tag: "Notice", seq, at: 0, text })
const joined = Messages.event({ _tag: "Joined", seq: 1, at: 0, member: 1, nick: "ada" })

/** What a writer wrote, seen to keep the bounds of section 4. */
const within = (bytes: Uint8Array): ReadonlyArray<string> => {
  const lines = Frames.lines(bytes)
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(lineLimit)
  return lines
}

const plaintexts = (key: typeof session | typeof group, bytes: Uint8Array): ReadonlyArray<string> =>
  within(bytes).map((line) => {
    const plaintext = Frames.opened(key, line)
    expect(plaintext.length).toBeLessThanOrEqual(Wire.maxPlaintext)
    return Buffer.from(plaintext).toString()
  })

const readUp = (reader: Wire.UpReader, bytes: Uint8Array) =>
  within(bytes).map((line) => Either.getOrThrow(reader.read(line)).messages)

const readDown = (reader: Wire.DownReader, bytes: Uint8Array) =>
  within(bytes).map((line) => {
    const received = Either.getOrThrow(reader.read(line, undefined))
    return received._tag === "Down" ? received.messages : expect.unreachable("a frame of its own key")
  })

/** Texts of very different sizes, of characters of 1 to 4 bytes and of those that JSON escapes. */
const texts = FastCheck.array(
  FastCheck.tuple(FastCheck.constantFrom("a", "ß", "→", "😀", "\n", "\u0000", '"'), FastCheck.nat(4_000)).map(
    ([character, length]) => character.repeat(length)
  ),
  { minLength: 1, maxLength: 40 }
).filter(Arr.isNonEmptyArray)

const sealedTexts = FastCheck.array(
  FastCheck.constantFrom(1, 100, 1_000, 8_192).map((groups) => "A".repeat(4 * groups)),
  { minLength: 1, maxLength: 150 }
).filter(Arr.isNonEmptyArray)

describe("Wire.Writer", () => {
  it("counts its frames from 0, whatever they hold", () => {
    const writer = upWriter()
    const leave = Messages.clientMessage({ _tag: "Leave" })
    const written = [1, 2, 3].flatMap(() => plaintexts(session, writer.lines([leave, leave])))
    expect(written).toEqual(
      [0, 1, 2].map((frame) => `{"frame":${frame},"messages":[{"_tag":"Leave"},{"_tag":"Leave"}]}`)
    )
  })

  it("puts at most 64 of a client's messages in a frame, and no fewer when they are small", () => {
    const pings = Arr.makeBy(150, (at) => Messages.clientMessage({ _tag: "Ping", at }))
    const frames = readUp(upReader(), upWriter().lines(pings))
    expect(frames.map((messages) => messages.length)).toEqual([64, 64, 22])
    expect(frames.flat()).toEqual(pings)
  })

  it("puts as many of a server's messages in a frame as fit", () => {
    const pings = Arr.makeBy(150, (at) => Messages.serverMessage({ _tag: "Ping", at, last: 0 }))
    expect(readDown(downReader(), downWriter().lines(pings))).toEqual([pings])
  })

  it("fits the largest text of a client", () => {
    const say = Messages.clientMessage({ _tag: "Say", n: 1, sealed: "A".repeat(Protocol.maxSealed) })
    expect(readUp(upReader(), upWriter().lines([say, say]))).toEqual([[say], [say]])
  })

  it.prop(
    "loses and reorders nothing of what a client says, in frames within bounds",
    { sealed: sealedTexts },
    ({ sealed }) => {
      const says = Arr.map(sealed, (sealed, index) => Messages.clientMessage({ _tag: "Say", n: index + 1, sealed }))
      const frames = readUp(upReader(), upWriter().lines(says))
      expect(frames.flat()).toEqual(says)
    },
    { fastCheck: { numRuns: 40 } }
  )

  it.prop(
    "loses and reorders nothing of what a server says, in frames within bounds",
    { texts },
    ({ texts }) => {
      const writer = downWriter()
      const messages = Arr.map(texts, (detail) =>
        Messages.serverMessage({ _tag: "Rejected", reason: "nick-invalid", detail })
      )
      const bytes = writer.lines(messages)
      plaintexts(session, bytes)
      const reader = downReader()
      expect(readDown(reader, bytes).flat()).toEqual(messages)
      expect(readDown(reader, writer.lines(messages)).flat()).toEqual(messages)
    },
    { fastCheck: { numRuns: 40 } }
  )
})

describe("Wire.groupLines", () => {
  it("writes the epoch and the events of a broadcast", () => {
    expect(plaintexts(group, Wire.groupLines(fernet, group, 7, [joined]))).toEqual([
      '{"epoch":7,"events":[{"_tag":"Joined","seq":1,"at":0,"member":1,"nick":"ada"}]}'
    ])
  })

  it.prop(
    "loses and reorders nothing, in frames of one epoch within bounds",
    { texts, epoch: FastCheck.maxSafeNat() },
    ({ epoch, texts }) => {
      const events = Arr.map(texts, (text, index) => notice(index + 1, text))
      const bytes = Wire.groupLines(fernet, group, epoch, events)
      plaintexts(group, bytes)
      const frames = within(bytes).map((line) => Either.getOrThrow(downReader().read(line, group)))
      expect(frames.map((frame) => (frame._tag === "Group" ? frame.frame.epoch : "down"))).toEqual(
        frames.map(() => epoch)
      )
      expect(frames.flatMap((frame) => (frame._tag === "Group" ? frame.frame.events : []))).toEqual(events)
    },
    { fastCheck: { numRuns: 40 } }
  )
})

describe("what writers write", () => {
  it.prop(
    "is JSON as JSON.stringify writes it",
    { up: Messages.upFrames, down: Messages.downFrames, broadcast: Messages.groupFrames },
    ({ broadcast, down, up }) => {
      const { epoch, events } = Messages.groupFrame(broadcast)
      const json = JSON.stringify({ epoch, events })
      expect(plaintexts(group, Wire.groupLines(fernet, group, epoch, events))).toEqual([json])
      const said = Arr.map(up.messages, (message) => Messages.clientMessage(message))
      expect(plaintexts(session, upWriter().lines(said))).toEqual([JSON.stringify({ frame: 0, messages: said })])
      const told = Arr.map(down.messages, (message) => Messages.serverMessage(message))
      expect(plaintexts(session, downWriter().lines(told))).toEqual([JSON.stringify({ frame: 0, messages: told })])
    }
  )
})

describe("Wire.pages", () => {
  it.prop(
    "splits a list into pages that keep its order, each of which fits a frame as one message",
    { texts },
    ({ texts }) => {
      const events = Arr.map(texts, (text, index) => notice(index + 1, text))
      const pages = Wire.pages(events)
      expect(pages.flat()).toEqual(events)
      const most = Number.MAX_SAFE_INTEGER
      for (const page of pages) {
        const messages = [
          Messages.serverMessage({ _tag: "Events", events: page }),
          Messages.serverMessage({ _tag: "History", events: page, oldest: most })
        ] as const
        for (const message of messages)
          expect(readDown(downReader(), downWriter().lines([message]))).toEqual([[message]])
      }
    },
    { fastCheck: { numRuns: 40 } }
  )

  it("a short list is one page, and a long one as few as fit", () => {
    expect(Wire.pages([joined])).toEqual([[joined]])
    const texts = Arr.makeBy(100, (index) => notice(index + 1, "x".repeat(960)))
    expect(Wire.pages(texts).map((page) => page.length)).toEqual([48, 48, 4])
  })

  it("a page filled to the last byte still fits a frame", () => {
    for (const size of [1, 2, 3, 5, 8, 13]) {
      for (const page of Wire.pages(Arr.makeBy(2_000, (index) => notice(index + 1, "x".repeat(size))))) {
        const history = Messages.serverMessage({ _tag: "History", events: page, oldest: Number.MAX_SAFE_INTEGER })
        expect(readDown(downReader(), downWriter().lines([history]))).toEqual([[history]])
      }
    }
  })
})

const padded = (json: string, length: number) => json.padEnd(length, " ")

/** Plaintexts that are refused under either session key, with `good` standing for a frame that is read. */
const badPlaintexts = (good: string): ReadonlyArray<readonly [string, string | Uint8Array, string]> => [
  ["what is not JSON", "hello", "json"],
  ["JSON that is cut off", good.slice(0, -1), "json"],
  ["something after the JSON", `${good}x`, "json"],
  ["nothing", "", "json"],
  ["invalid UTF-8", Buffer.concat([Buffer.from(good.slice(0, -2)), Buffer.from([0xc3, 0x28])]), "json"],
  ["an overlong form in UTF-8", Buffer.concat([Buffer.from([0xc1, 0xbb]), Buffer.from(good.slice(1))]), "json"],
  ["a byte order mark", `\ufeff${good}`, "json"],
  ["JSON of another shape", "[]", "shape"],
  ["null", "null", "shape"],
  ["an excess key", good.replace(/}$/, ',"extra":1}'), "shape"],
  ["an excess key in a message", good.replace(/}]}$/, ',"extra":1}]}'), "shape"],
  ["an unknown message", good.replace(/"_tag":"\w+"/, '"_tag":"Shout"'), "shape"],
  ["a tag that has no text", good.replace(/"_tag":"\w+"/, '"_tag":{"toString":1}'), "shape"],
  [
    "a tag of lists in lists",
    good.replace(/"_tag":"\w+"/, `"_tag":${"[".repeat(20_000)}${"]".repeat(20_000)}`),
    "shape"
  ],
  ["a broadcast", '{"epoch":0,"events":[{"_tag":"Joined","seq":1,"at":0,"member":1,"nick":"ada"}]}', "shape"],
  ["a frame of 49,001 bytes", padded(good, Wire.maxPlaintext + 1), "shape"],
  ["a gap", good.replace('"frame":0', '"frame":1'), "frame-number"]
]

const badLines = (good: string): ReadonlyArray<readonly [string, string, string]> => [
  ["a line that is not base64url", "hello world!", "line"],
  ["a line that is no token", "AAAA", "line"],
  ["a line without its padding", Frames.line(session, good).replace(/=*$/, "").slice(0, -1), "line"],
  ["a line that ends with a carriage return", `${Frames.line(session, good)}\r`, "line"],
  ["a line in the standard alphabet", `+${Frames.line(session, good).slice(1)}`, "line"],
  ["a line under another key", Frames.line(stranger, good), "token"]
]

const upFrame = '{"frame":0,"messages":[{"_tag":"Ping","at":1}]}'
const downFrame = '{"frame":0,"messages":[{"_tag":"Ping","at":1,"last":0}]}'
const groupFrame = '{"epoch":1,"events":[{"_tag":"Joined","seq":1,"at":0,"member":1,"nick":"ada"}]}'

describe("Wire.UpReader", () => {
  const cases = [
    ...badLines(upFrame),
    ...badPlaintexts(upFrame).map(([name, plain, rule]) => [name, Frames.line(session, plain), rule] as const),
    ["what only a server says", Frames.line(session, downFrame), "shape"] as const
  ]
  it.each(cases)("refuses %s, and still waits for the frame that is due", (_, line, rule) => {
    const reader = upReader()
    expect(ruleOf(reader.read(line))).toBe(rule)
    expect(ruleOf(reader.read(Frames.line(session, upFrame)))).toBe("none")
  })

  it("refuses a frame that came before", () => {
    const reader = upReader()
    const line = Frames.line(session, upFrame)
    expect([line, line].map((line) => ruleOf(reader.read(line)))).toEqual(["none", "frame-number"])
  })

  it("reads a frame of 49,000 bytes", () => {
    expect(ruleOf(upReader().read(Frames.line(session, padded(upFrame, Wire.maxPlaintext))))).toBe("none")
  })

  it("shows who holds the key before it has looked at what was said", () => {
    const reader = upReader()
    const line = Frames.line(session, "hello")
    expect(ruleOf(reader.open(line))).toBe("none")
    expect(ruleOf(reader.open(Frames.line(stranger, upFrame)))).toBe("token")
    expect(ruleOf(Either.flatMap(reader.open(line), (plaintext) => reader.decode(plaintext)))).toBe("json")
  })
})

describe("Wire.DownReader", () => {
  const cases = [
    ...badLines(downFrame),
    ...badPlaintexts(downFrame).map(([name, plain, rule]) => [name, Frames.line(session, plain), rule] as const),
    ["what only a client says", Frames.line(session, upFrame), "shape"] as const
  ]
  it.each(cases)("refuses %s, and still waits for the frame that is due", (_, line, rule) => {
    for (const key of [undefined, group]) {
      const reader = downReader()
      expect(ruleOf(reader.read(line, key))).toBe(rule)
      expect(ruleOf(reader.read(Frames.line(session, downFrame), key))).toBe("none")
    }
  })

  it.each([
    ["a frame to one session", Frames.line(group, downFrame), "shape"],
    ["a frame of 49,001 bytes", Frames.line(group, padded(groupFrame, Wire.maxPlaintext + 1)), "shape"],
    ["an excess key", Frames.line(group, groupFrame.replace(/}$/, ',"extra":1}')), "shape"],
    ["invalid UTF-8", Frames.line(group, Uint8Array.of(0x22, 0xff, 0x22)), "json"],
    ["a byte order mark", Frames.line(group, `\ufeff${groupFrame}`), "json"]
  ])("refuses %s under the group key", (_, line, rule) => {
    const reader = downReader()
    expect(ruleOf(reader.read(line, group))).toBe(rule)
    expect(ruleOf(reader.read(Frames.line(group, padded(groupFrame, Wire.maxPlaintext)), group))).toBe("none")
  })

  it("opens a broadcast only with the group key it was given", () => {
    const line = Frames.line(group, groupFrame)
    expect(ruleOf(downReader().read(line, undefined))).toBe("token")
    expect(ruleOf(downReader().read(line, stranger))).toBe("token")
    expect(downReader().read(line, group)).toEqual(
      Either.right({ _tag: "Group", frame: { epoch: 1, events: [joined] } })
    )
  })

  it("counts its own frames only: broadcasts between them make no gap", () => {
    const reader = downReader()
    const writer = downWriter()
    const [first = "", second = ""] = [1, 2].flatMap((at) =>
      Frames.lines(writer.lines([Messages.serverMessage({ _tag: "Ping", at, last: 0 })]))
    )
    const broadcast = Frames.line(group, groupFrame)
    const read = [broadcast, first, broadcast, broadcast, second, first].map((line) => ruleOf(reader.read(line, group)))
    expect(read).toEqual(["none", "none", "none", "none", "none", "frame-number"])
  })

  it("takes what a writer made only through a framer's limit", () => {
    const framer = new Framer()
    framer.limit = lineLimit
    const large = Messages.serverMessage({ _tag: "Events", events: [notice(1, "x".repeat(48_000))] })
    framer.push(downWriter().lines([large]))
    const line = Either.getOrThrow(framer.next()) ?? ""
    expect(downReader().read(line, undefined)).toEqual(Either.right({ _tag: "Down", messages: [large] }))
  })
})
