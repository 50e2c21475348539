import { inspect } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as fc from "effect/FastCheck"
import * as Invite from "../src/domain/Invite.js"
import * as Keys from "../src/domain/Keys.js"
import { keyFilledWith } from "./utils/Vectors.js"

const key = keyFilledWith<"room">(1)
const secret = Keys.toBase64Url(key)
const line = `chat://example.org:4000#v1.${secret}`

/** What an invite says, with its key in the open. */
const parsed = (text: string) =>
  Either.map(Invite.parse(text), ({ address, key }) => ({ ...address, key: Keys.toBase64Url(key) }))
const example = { host: "example.org", port: 4_000, key: secret }

describe("Invite", () => {
  it("is one line", () => {
    expect(Invite.format({ address: { host: "example.org", port: 4_000 }, key })).toBe(line)
    expect(Invite.format({ address: { host: "::1", port: 1 }, key })).toBe(`chat://[::1]:1#v1.${secret}`)
  })

  it.prop(
    "what is formatted parses to the same address and key",
    [
      fc.constantFrom(
        "localhost",
        "a.b-c.example",
        "127.0.0.1",
        "::1",
        "2001:db8::a",
        "fe80::1%eth0",
        "münchen.example",
        "my_host"
      ),
      fc.integer({ min: 1, max: 65_535 }),
      fc.uint8Array({ minLength: 32, maxLength: 32 })
    ],
    ([host, port, bytes]) => {
      const key = Keys.fromBytes<"room">(bytes)
      expect(parsed(Invite.format({ address: { host, port }, key }))).toEqual(
        Either.right({ host, port, key: Keys.toBase64Url(key) })
      )
    }
  )

  it.each([
    ["with blanks and line ends around it", ` \t${line}\r\n`],
    ["in angle brackets", `<${line}>`],
    ["in both", ` < ${line}\n>\n`],
    ["with the scheme in capitals", line.replace("chat:", "CHAT:")],
    ["with a slash before the #", line.replace("#", "/#")]
  ])("is read %s", (_, text) => {
    expect(parsed(text)).toEqual(Either.right(example))
  })

  it("has the usual port when it names none", () => {
    expect(parsed(`chat://localhost#v1.${secret}`)).toEqual(
      Either.right({ host: "localhost", port: 55_555, key: secret })
    )
  })

  it.each<readonly [Invite.InviteError["reason"], string, string]>([
    ["scheme", "nothing", ""],
    ["scheme", "another scheme", line.replace("chat:", "https:")],
    ["scheme", "a key alone", secret],
    ["address", "no host", `chat://#v1.${secret}`],
    ["address", "no host but a port", `chat://:4000#v1.${secret}`],
    ["address", "IPv6 without brackets", `chat://::1:4000#v1.${secret}`],
    ["address", "a bracket that does not end", `chat://[::1#v1.${secret}`],
    ["address", "a name in brackets", `chat://[host]:1#v1.${secret}`],
    ["address", "somebody's name", `chat://ada@host:1#v1.${secret}`],
    ["address", "a path", `chat://host:1/path#v1.${secret}`.replace(":1", "")],
    ["address", "a control", `chat://ho\u001b[31mst:1#v1.${secret}`],
    ["address", "a blank", `chat://ho st:1#v1.${secret}`],
    ["port", "port 0", line.replace("4000", "0")],
    ["port", "port 65536", line.replace("4000", "65536")],
    ["port", "an empty port", line.replace("4000", "")],
    ["port", "a port in words", line.replace("4000", "four")],
    ["port", "a port below 0", line.replace("4000", "-1")],
    ["version", "the next version", line.replace("v1", "v2")],
    ["version", "a later version, with another key", "chat://host:1#v10.anything"],
    ["missing-key", "no #", "chat://host:1"],
    ["missing-key", "nothing behind it", "chat://host:1#"],
    ["missing-key", "no key", "chat://host:1#v1."],
    ["damaged-key", "no version", `chat://host:1#${secret}`],
    ["damaged-key", "an unknown word for the version", `chat://host:1#w1.${secret}`],
    ["damaged-key", "a key cut short", line.slice(0, -4)],
    ["damaged-key", "a key without its padding", line.slice(0, -1)],
    ["damaged-key", "a key with something behind it", `${line}.`],
    ["damaged-key", "two of them", `${line}${line}`],
    ["damaged-key", "a key with a hole", `${line.slice(0, -20)} ${line.slice(-20)}`],
    ["damaged-key", "bits that are not zero", `${line.slice(0, -2)}F=`],
    ["damaged-key", "percent signs", line.replace(/=$/, "%3D")],
    ["server-key", "a server key", `chat://host:1#server:${secret}`],
    ["server-key", "a server key with a version", `chat://host:1#v1.server:${secret}`]
  ])("%s: %s is refused, in words that show no key", (reason, _, text) => {
    const error = Either.getOrThrow(Either.flip(Invite.parse(text)))
    expect(error.reason).toBe(reason)
    expect(error.message).toMatch(/^(the invite|this is no invite)/)
    for (const told of [error.message, String(error), inspect(error), JSON.stringify(error)]) {
      expect(told).not.toContain(secret.slice(0, 8))
    }
  })

  it("nothing that is logged of an invite shows its key", () => {
    const invite = Either.getOrThrow(Invite.parse(line))
    for (const told of [inspect(invite, { depth: 9 }), JSON.stringify(invite), String(invite.key)]) {
      expect(told).not.toContain(secret.slice(0, 8))
    }
  })
})
