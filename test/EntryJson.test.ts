import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Entry from "../src/client/Entry.js"
import * as EntryJson from "../src/client/terminal/EntryJson.js"

const decode = Schema.decodeUnknownSync(Schema.parseJson(EntryJson.EntryJson), { onExcessProperty: "error" })

const read = (line: string) => Either.map(EntryJson.read(line), Option.getOrUndefined)

describe("EntryJson", () => {
  it.prop(
    "is one line that says all of an entry, and what a client tells is of that shape",
    [EntryJson.EntryJson],
    ([entry]) => {
      // A client's entries, but for Back: the types are the same both ways.
      const told: Exclude<Entry.Entry, Entry.Back> = entry
      const same: EntryJson.EntryJson = told
      const line = EntryJson.format(same)
      expect(line).not.toMatch(/[\n\r]/)
      expect(decode(line)).toEqual(entry)
    }
  )

  it.prop(
    "is taken as it is printed: what was said is said, other events ask for nothing",
    [EntryJson.EntryJson],
    ([entry]) => {
      const asked = entry._tag === "Said" ? { text: entry.text, me: entry.me } : undefined
      expect(read(EntryJson.format(entry))).toEqual(Either.right(asked))
    }
  )

  it("needs no more than a tag and a text, and ignores what it does not know", () => {
    expect(read('{"_tag":"Said","text":"hi"}')).toEqual(Either.right({ text: "hi", me: false }))
    expect(read(' {"text":"hi","me":true,"_tag":"Said","colour":"red"} ')).toEqual(
      Either.right({ text: "hi", me: true })
    )
    expect(read('{"_tag":"Typing","text":"h"}')).toEqual(Either.right(undefined))
  })

  it("is refused where it is no such object", () => {
    for (const line of ["hello", "{", "", '{"_tag":"Said"', "\u0000"]) {
      expect(read(line)).toEqual(Either.left("it is not JSON"))
    }
    for (const line of ["1", "null", '"Said"', "[]", "{}", '{"text":"hi"}', '{"_tag":1}', "[{}]"]) {
      expect(read(line)).toEqual(Either.left('it is not an object with "_tag"'))
    }
    for (const line of ['{"_tag":"Said"}', '{"_tag":"Said","text":1}', '{"_tag":"Said","text":"hi","me":"yes"}']) {
      expect(Either.isLeft(read(line))).toBe(true)
    }
  })

  it("takes any text that is JSON, whatever it holds", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.string({ unit: "binary" }), (text) => {
        expect(read(JSON.stringify({ _tag: "Said", text }))).toEqual(Either.right({ text, me: false }))
      })
    )
  })
})
