/** Entries for tests of what is shown. */
import { expect } from "@effect/vitest"
import type * as Entry from "../../src/client/Entry.js"
import * as Protocol from "../../src/domain/Protocol.js"
import * as Seal from "../../src/domain/Seal.js"
import * as Messages from "./Messages.js"

const place = (seq: number, at: number) => ({
  seq: Protocol.Seq.make(seq),
  at,
  member: Messages.member({ member: 3, nick: "ada" }).member,
  n: Protocol.TextNumber.make(1)
})

/** A text of member 3, number 9 of the log at the beginning of time, unless it is said otherwise. */
export const said = (nick: string, text: string, more: Partial<Entry.Said> = {}): Entry.Said => ({
  _tag: "Said",
  ...place(9, 0),
  nick,
  text: Seal.Text.make(text),
  me: false,
  own: false,
  past: false,
  ...more
})

export const unreadable = (nick: string, reason: Entry.Unreadable["reason"]): Entry.Unreadable => ({
  _tag: "Unreadable",
  ...place(9, 0),
  nick,
  reason
})

/** What is an entry as it comes: all events but texts. */
export const event = (json: Exclude<typeof Protocol.Event.Encoded, { readonly _tag: "Chat" }>): Entry.Logged => {
  const decoded = Messages.event(json)
  return decoded._tag === "Chat" ? expect.unreachable("no text is asked for") : decoded
}
