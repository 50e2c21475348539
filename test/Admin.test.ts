import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Admin from "../src/domain/Admin.js"
import { lineLimit } from "../src/domain/Framer.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Seal from "../src/domain/Seal.js"

/** A line as a Framer gives it out: a character a byte, without its newline. */
const lineOf = (bytes: Uint8Array) => {
  const text = Buffer.from(bytes).toString("latin1")
  expect(text.indexOf("\n")).toBe(text.length - 1)
  return text.slice(0, -1)
}
const utf8 = (text: string) => Buffer.from(text).toString("latin1")

const who = FastCheck.string({ unit: "binary", minLength: 1, maxLength: 60 })
const member = (id: number, nick: string) => ({ member: Protocol.MemberId.make(id), nick })

const requests: FastCheck.Arbitrary<Admin.Request> = FastCheck.oneof(
  who.map((who): Admin.Request => ({ _tag: "Kick", who })),
  FastCheck.tuple(who, FastCheck.boolean()).map(
    ([who, ticketOnly]): Admin.Request => ({ _tag: "Ban", who, ticketOnly })
  ),
  who.map((who): Admin.Request => ({ _tag: "Unban", who })),
  FastCheck.tuple(FastCheck.maxSafeNat(), FastCheck.constantFrom("ListBans" as const, "ListNames" as const)).map(
    ([after, _tag]): Admin.Request => ({ _tag, after: Protocol.Position.make(after) })
  ),
  FastCheck.string({ unit: "binary", minLength: 1, maxLength: Seal.maxText }).map(
    (text): Admin.Request => ({ _tag: "Say", text: Seal.Text.make(text) })
  ),
  FastCheck.constantFrom<Array<Admin.Request>>({ _tag: "AskStats" }, { _tag: "Stop" })
)

/** The longest nick there is, in bytes. */
const longest = "𝟘".repeat(32)

describe("a request", () => {
  it.prop("is one line, and is read as it was written", { request: requests }, ({ request }) => {
    expect(Admin.decodeRequest(lineOf(Admin.encodeRequest(request)))).toEqual(Either.right(request))
  })

  it.each([
    ["what is no JSON", "kick ada"],
    ["bytes that are no text", "\xff"],
    ["an object without a version", '{"request":{"_tag":"Kick","who":"ada"}}'],
    ["a tag that it does not know", '{"version":1,"request":{"_tag":"Promote","who":"ada"}}'],
    [
      "a narrower request than it knows",
      '{"version":1,"request":{"_tag":"Ban","who":"ada","ticketOnly":false,"for":60}}'
    ],
    ["half a request", '{"version":1,"request":{"_tag":"Ban","who":"ada"}}'],
    ["nobody", '{"version":1,"request":{"_tag":"Kick","who":""}}'],
    ["a name without end", `{"version":1,"request":{"_tag":"Kick","who":"${"x".repeat(129)}"}}`],
    ["nothing to say", '{"version":1,"request":{"_tag":"Say","text":""}}'],
    ["more than can be said", `{"version":1,"request":{"_tag":"Say","text":"${"x".repeat(4_001)}"}}`],
    ["a tag that has no text", '{"version":1,"request":{"_tag":{"toString":1}}}']
  ])("is none that is %s", (_, line) => {
    const read = Admin.decodeRequest(utf8(line))
    expect(Either.isLeft(read) && read.left).toMatchObject({ _tag: "OperatorError", reason: "request" })
  })

  it("of another version is answered with both versions", () => {
    const read = Admin.decodeRequest('{"version":2,"request":{"_tag":"Kick","who":"ada"},"more":true}')
    expect(Either.isLeft(read) && read.left.message).toBe(
      "this server speaks version 1 with its operator, and this command version 2"
    )
  })
})

describe("an answer", () => {
  const others = Admin.some(Arr.makeBy(250, (i) => member(Number.MAX_SAFE_INTEGER - i, longest)))
  const bans = Arr.makeBy(250, (i) => ({
    ...member(i + 1, longest),
    at: Number.MAX_SAFE_INTEGER,
    network: "ffff:ffff:ffff:ffff::/64"
  }))

  const names = Arr.makeBy(
    250,
    (i): Admin.Name => ({
      ...member(i + 1, longest),
      connection: "catching-up",
      since: Number.MAX_SAFE_INTEGER,
      from: "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%enp0s31f6]:65535"
    })
  )
  const stats: Admin.Stats = {
    _tag: "Stats",
    since: 1,
    uptime: 2,
    members: 3,
    live: 4,
    catchingUp: 5,
    halfOpen: 6,
    head: Protocol.Position.make(7),
    oldest: Protocol.Seq.make(8),
    taking: true,
    epoch: 9,
    texts: 10,
    deliveries: 11,
    refusals: { "wrong-key": 12 }
  }

  it.each<Admin.Answer>([
    { _tag: "Kicked", ...member(1, "zoë") },
    { _tag: "Banned", ...member(1, longest), others },
    { _tag: "Banned", ...member(1, longest), network: "192.0.2.7", others },
    { _tag: "Unbanned", ...member(1, longest), network: "192.0.2.7", others },
    Admin.page(bans, Protocol.start),
    Admin.page([], Protocol.start),
    Admin.pageOfNames(names, Protocol.start),
    { _tag: "Notice", seq: Protocol.Seq.make(1), at: 2, text: "\u0001".repeat(Seal.maxText) },
    stats,
    { ...stats, process: { version: "1", node: "20", memory: 2, log: { file: "chat.db", bytes: 3 } } },
    { _tag: "Stopping" },
    { _tag: "Failed", reason: "unknown", message: "nobody" }
  ])("is read as it was written, and fits a line: $_tag", (answer) => {
    const line = lineOf(Admin.encodeAnswer(answer))
    expect(line.length).toBeLessThan(lineLimit)
    expect(Admin.decodeAnswer(line)).toEqual(Either.right(answer))
  })

  it("may say more than is known, and fail for reasons that are not", () => {
    expect(
      Admin.decodeAnswer('{"version":1,"answer":{"_tag":"Kicked","member":1,"nick":"ada","at":5},"load":0.5}')
    ).toEqual(Either.right({ _tag: "Kicked", ...member(1, "ada") }))
    expect(Admin.decodeAnswer('{"version":1,"answer":{"_tag":"Failed","reason":"asleep","message":"later"}}')).toEqual(
      Either.right({ _tag: "Failed", reason: "asleep", message: "later" })
    )
  })

  it.each([
    '{"version":2,"answer":{"_tag":"Kicked","member":1,"nick":"ada"}}',
    '{"version":1,"answer":{"_tag":"Gone"}}',
    "no"
  ])("is none that is %s", (line) => {
    expect(Either.isLeft(Admin.decodeAnswer(line))).toBe(true)
  })

  it("names some, and counts the rest", () => {
    expect(others.members).toHaveLength(100)
    expect(others.more).toBe(150)
    expect(Admin.some([member(1, "ada")])).toEqual({ members: [member(1, "ada")], more: 0 })
  })

  it("lists bans page by page", () => {
    let after = Protocol.start
    const pages: Array<Admin.BanList> = []
    do {
      pages.push(Admin.page(bans, after))
      after = pages.at(-1)?.bans.at(-1)?.member ?? after
    } while (pages.at(-1)?.more)
    expect(pages.map(({ bans }) => bans.length)).toEqual([100, 100, 50])
    expect(pages.flatMap(({ bans }) => bans)).toEqual(bans)
  })

  it("lists names page by page", () => {
    const first = Admin.pageOfNames(names, Protocol.start)
    const last = Admin.pageOfNames(names, Protocol.Position.make(200))
    expect([first.names, first.more]).toEqual([names.slice(0, 100), true])
    expect([last.names, last.more]).toEqual([names.slice(200), false])
  })
})
