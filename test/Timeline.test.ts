import { describe, expect, it } from "@effect/vitest"
import type * as Entry from "../src/client/Entry.js"
import * as Style from "../src/client/terminal/Style.js"
import * as Timeline from "../src/client/terminal/Timeline.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Entries from "./utils/Entries.js"

const noon = new Date(2026, 0, 30, 12, 0).getTime()
const minute = 60_000
const day = 24 * 60 * minute

const reader = (settings: Partial<Timeline.Settings> = {}, depth: 1 | 8 = 1): Timeline.Reader => ({
  nick: "ada",
  settings: { ...Timeline.settings, ...settings },
  style: Style.make(depth)
})

const said = (seq: number, nick: string, text: string, more: Partial<Entry.Said> = {}) =>
  Entries.said(nick, text, { seq: Protocol.Seq.make(seq), at: noon, ...more })
const joined = (seq: number, member: number, nick: string, at = noon) =>
  Entries.event({ _tag: "Joined", seq, at, member, nick })
const left = (seq: number, member: number, nick: string, at = noon) =>
  Entries.event({ _tag: "Left", seq, at, member, nick, reason: "quit" })
const renamed = (seq: number, member: number, was: string, nick: string) =>
  Entries.event({ _tag: "Renamed", seq, at: noon, member, nick, was })

/** What is printed of entries, what stays open, and whether it rang. */
const show = (entries: ReadonlyArray<Entry.Entry>, by = reader()) => {
  let timeline = Timeline.begin(noon)
  let rings = 0
  const lines: Array<string> = []
  for (const entry of entries) {
    const printed = Timeline.add(timeline, entry, by)
    timeline = printed.timeline
    lines.push(...printed.lines)
    if (printed.rings) rings += 1
  }
  return { lines, rings, open: Timeline.open(timeline, by), closed: Timeline.close(timeline, by).lines }
}

describe("Timeline", () => {
  it("texts have their time before them, or what the user wants there", () => {
    const texts = [said(1, "bob", "hi"), said(2, "ada", "waves", { me: true, own: true })]
    expect(show(texts).lines).toEqual(["12:00 <bob> hi", "12:00 * ada waves"])
    expect(show(texts, reader({ timestamp: "off" })).lines).toEqual(["<bob> hi", "* ada waves"])
    expect(show(texts, reader({ timestamp: "datetime" })).lines[0]).toBe("2026-01-30 12:00 <bob> hi")
  })

  it("a day begins with a line of its own, today's does not", () => {
    const texts = [
      said(1, "bob", "a"),
      said(2, "bob", "b", { at: noon + day }),
      said(3, "bob", "c", { at: noon + day })
    ]
    expect(show(texts).lines).toEqual(["12:00 <bob> a", "-- Saturday, 2026-01-31 --", "12:00 <bob> b", "12:00 <bob> c"])
    expect(Timeline.render(texts.slice(0, 1), reader())).toEqual(["-- Friday, 2026-01-30 --", "12:00 <bob> a"])
  })

  it("who comes and goes stays open until something else is printed", () => {
    const moves = [joined(1, 1, "bob"), left(2, 1, "bob")]
    expect(show(moves)).toMatchObject({
      lines: [],
      open: ["12:00 -- bob joined", "12:00 -- bob left"],
      closed: ["12:00 -- bob joined", "12:00 -- bob left"]
    })
    expect(show([...moves, said(3, "cyd", "hm")])).toMatchObject({
      lines: ["12:00 -- bob joined", "12:00 -- bob left", "12:00 <cyd> hm"],
      open: [],
      closed: []
    })
  })

  it("many who come and go are one line, of what is left of it", () => {
    const crowd = Array.from({ length: 7 }, (_, index) => joined(index + 1, index + 1, `m${index}`))
    expect(show(crowd).open).toEqual(["12:00 -- m0, m1, m2, m3, m4 and 2 others joined"])
    const mixed = [
      joined(1, 1, "bob"),
      joined(2, 2, "cyd"),
      left(3, 2, "cyd"),
      left(4, 3, "dan"),
      left(5, 4, "eve"),
      joined(6, 4, "eve"),
      renamed(7, 5, "fay", "faye"),
      renamed(8, 5, "faye", "gil")
    ]
    expect(show(mixed).open).toEqual([
      "12:00 -- bob joined; dan left; cyd came and went; eve left and came back; fay is now gil"
    ])
  })

  it("who is put out is told by itself, among many, under quiet, and though ignored", () => {
    const kicked = Entries.event({ _tag: "Left", seq: 5, at: noon, member: 2, nick: "cyd", reason: "kicked" })
    const moves = [joined(1, 1, "bob"), joined(2, 2, "cyd"), joined(3, 3, "dan"), joined(4, 4, "eve")]
    expect(show([...moves, kicked, left(6, 4, "eve")])).toMatchObject({
      lines: ["12:00 -- bob, cyd, dan, eve joined", "12:00 -- cyd was put out by the operator"],
      open: ["12:00 -- eve left"]
    })
    const quiet = reader({ isQuiet: true, ignored: new Map([[Protocol.MemberId.make(2), "cyd"]]) })
    expect(show([...moves, kicked], quiet).lines).toEqual(["12:00 -- cyd was put out by the operator"])
  })

  it("those who come and go over midnight are told under their days", () => {
    expect(
      show([joined(1, 1, "bob"), left(2, 1, "bob", noon + day), said(3, "cyd", "a", { at: noon + day })]).lines
    ).toEqual(["12:00 -- bob joined", "-- Saturday, 2026-01-31 --", "12:00 -- bob left", "12:00 <cyd> a"])
  })

  it("quiet hides who joins and leaves, and not who takes another nick", () => {
    const moves = [joined(1, 1, "bob"), renamed(2, 1, "bob", "rob"), left(3, 1, "rob")]
    expect(show(moves, reader({ isQuiet: true })).open).toEqual(["12:00 -- bob is now rob"])
  })

  it("what was missed is marked once, before the first text of somebody else", () => {
    const back: Entry.Entry = { _tag: "Back", after: Protocol.Position.make(1), head: Protocol.Seq.make(4) }
    const mark = "-- new since you were away --"
    const missed = [
      back,
      said(2, "ada", "mine", { own: true }),
      said(3, "bob", "a"),
      said(4, "bob", "b"),
      said(5, "bob", "c")
    ]
    expect(show(missed).lines).toEqual(["12:00 <ada> mine", mark, "12:00 <bob> a", "12:00 <bob> b", "12:00 <bob> c"])
    // Nothing was said meanwhile.
    expect(show([back, joined(2, 1, "bob"), said(5, "bob", "c")]).lines).not.toContain(mark)
    // In another log numbers begin anew.
    const log = "AAAAAAAAAAAAAAAAAAAAAA=="
    const another: Entry.Entry = {
      _tag: "NewLog",
      log: Protocol.LogId.make(log),
      member: Protocol.MemberId.make(1),
      after: Protocol.start
    }
    expect(show([back, another, said(2, "bob", "c")]).lines).not.toContain(mark)
  })

  it("the bell rings as it is set, and never for what is past or one's own", () => {
    const texts = [
      said(1, "bob", "hello"),
      said(2, "bob", "hello ADA!"),
      said(3, "bob", "hello Adam"),
      said(4, "bob", "ada?", { past: true }),
      said(5, "ada", "ada", { own: true }),
      joined(6, 1, "ada")
    ]
    const ringing = (bell: Timeline.Settings["bell"]) => show(texts, reader({ bell })).rings
    expect(ringing("off")).toBe(0)
    expect(ringing("mentions")).toBe(1)
    expect(ringing("all")).toBe(3)
  })

  it("one's nick stands out where it is a word of its own", () => {
    const { mention } = reader({}, 8).style
    const shown = (text: string) => show([said(1, "bob", text)], reader({}, 8)).lines[0]
    expect(shown("Ada, adaada ada_ (ada)")).toContain(`${mention("Ada")}, adaada ada_ (${mention("ada")})`)
    // A nick may hold what means something in a pattern.
    const dotted: Timeline.Reader = { ...reader(), nick: "a.a" }
    expect(show([said(1, "bob", "ada a.a")], dotted).rings).toBe(1)
    expect(show([said(1, "bob", "ada")], dotted).rings).toBe(0)
  })

  it("whoever is ignored is not heard, whatever the nick", () => {
    const { member } = said(1, "bob", "x")
    const deaf = reader({ ignored: new Map([[member, "bob"]]), bell: "all" })
    expect(show([said(1, "bob", "x"), said(2, "rob", "y"), Entries.unreadable("bob", "key")], deaf)).toMatchObject({
      lines: [],
      rings: 0
    })
  })
})
