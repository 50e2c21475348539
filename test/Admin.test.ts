import { Buffer } from "node:buffer"
import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Admin from "../src/domain/Admin.js"
import { lineLimit } from "../src/domain/Framer.js"
import * as Protocol from "../src/domain/Protocol.js"

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
  FastCheck.maxSafeNat().map((at): Admin.Request => ({ _tag: "ListBans", after: Protocol.Position.make(at) }))
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

  it.each<Admin.Answer>([
    { _tag: "Kicked", ...member(1, "zoë") },
    { _tag: "Banned", ...member(1, longest), others },
    { _tag: "Banned", ...member(1, longest), network: "192.0.2.7", others },
    { _tag: "Unbanned", ...member(1, longest), network: "192.0.2.7", others },
    Admin.page(bans, Protocol.start),
    Admin.page([], Protocol.start),
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
})
