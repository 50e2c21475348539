/**
 * Frames: a line is a Fernet token whose plaintext is JSON of one of three shapes, one shape for each key. Writers
 * count and split, readers check the count; a frame is decoded whole before any of it takes effect.
 */
import { Buffer } from "node:buffer"
import * as Arr from "effect/Array"
import * as Either from "effect/Either"
import { Fault } from "./Fault.js"
import type * as Fernet from "./Fernet.js"
import * as Json from "./Json.js"
import type * as Keys from "./Keys.js"
import * as Protocol from "./Protocol.js"
import * as Shortcut from "./Shortcut.js"

/** Most bytes of JSON in a frame, so that its line stays within 64 KiB. */
export const maxPlaintext = 49_000

/**
 * Puts items (JSON already) into as few groups as fit, in order. `room` is what a group may take in bytes, the commas
 * between its items counted. An item that alone is larger is a defect: every message and event has bounds below it.
 */
const pack = (items: Arr.NonEmptyReadonlyArray<string>, room: number, most = Number.POSITIVE_INFINITY) => {
  const groups: Array<Array<string>> = []
  let group: Array<string> = []
  let used = 0
  for (const item of items) {
    const size = Buffer.byteLength(item) + 1
    if (size > room) throw new RangeError(`${size} bytes do not fit a frame`)
    if (group.length === most || used + size > room) {
      groups.push(group)
      group = []
      used = 0
    }
    group.push(item)
    used += size
  }
  groups.push(group)
  return groups
}

/** What frames hold lists of. */
export type Item = Protocol.Event | Protocol.Member | Protocol.ClientMessage | Protocol.ServerMessage

/** The JSON of pages of the roster: in a crowd, many are told the same ones. */
const rosterJson = new WeakMap<Protocol.Members, string>()

/** As JSON.stringify writes it, which would look for what to escape in seals: there is nothing in base64url. */
const itemJson = (item: Item): string => {
  if ("_tag" in item) {
    if (item._tag === "Say") return `{"_tag":"Say","n":${item.n},"sealed":"${item.sealed}"}`
    if (item._tag === "Chat") {
      const { at, member, n, nick, sealed, seq } = item
      const shown = JSON.stringify(nick)
      return `{"_tag":"Chat","seq":${seq},"at":${at},"member":${member},"nick":${shown},"n":${n},"sealed":"${sealed}"}`
    }
    if (item._tag === "Members") {
      const json = rosterJson.get(item) ?? JSON.stringify(item)
      rosterJson.set(item, json)
      return json
    }
    if (item._tag === "Events") return `{"_tag":"Events","events":[${item.events.map(itemJson).join(",")}]}`
  }
  return JSON.stringify(item)
}

const toJson = (items: Arr.NonEmptyReadonlyArray<Item>) => Arr.map(items, itemJson)

const newline = 0x0a

/** Bytes around the list of a frame or of a message in it: the longest number, the names and the brackets. */
const envelope = 128

/** Splits a list that one message may be too small for (events, members) into lists that each fit a frame. */
export const pages = <A extends Item>(
  items: Arr.NonEmptyReadonlyArray<A>
): ReadonlyArray<Arr.NonEmptyReadonlyArray<A>> => {
  let from = 0
  return pack(toJson(items), maxPlaintext - 2 * envelope).flatMap((group) => {
    const page = items.slice(from, from + group.length)
    from += group.length
    return Arr.isNonEmptyReadonlyArray(page) ? [page] : []
  })
}

/** Writes the frames of one direction of a session: numbered from 0, sealed under one key. */
export class Writer<M extends Protocol.ClientMessage | Protocol.ServerMessage> {
  private frame = 0
  constructor(
    private readonly fernet: Fernet.Shape,
    private readonly key: Keys.AnyKey,
    /** Most messages in a frame. */
    private readonly most = Number.POSITIVE_INFINITY
  ) {}

  /** The bytes of as few lines as hold `messages`, newlines included. They are to be written in the order made. */
  lines(messages: Arr.NonEmptyReadonlyArray<M>): Uint8Array {
    const groups = pack(toJson(messages), maxPlaintext - envelope, this.most)
    return lines(
      groups.map((group) => seal(this.fernet, this.key, `{"frame":${this.frame++},"messages":[${group.join(",")}]}`))
    )
  }
}

/** The bytes of as few group frames as hold `events`: the one encryption of a broadcast, whoever reads it. */
export const groupLines = (
  fernet: Fernet.Shape,
  key: Keys.AnyKey,
  epoch: number,
  events: Arr.NonEmptyReadonlyArray<Protocol.Event>
): Uint8Array =>
  lines(
    pack(toJson(events), maxPlaintext - envelope).map((group) =>
      seal(fernet, key, `{"epoch":${epoch},"events":[${group.join(",")}]}`)
    )
  )

const seal = (fernet: Fernet.Shape, key: Keys.AnyKey, json: string): string => fernet.encrypt([key], utf8(json))

/** Most JSON here is ASCII, which is copied as it is. */
const utf8 = (text: string): Uint8Array =>
  Buffer.from(text, Buffer.byteLength(text) === text.length ? "latin1" : "utf8")

/** The bytes of lines, each with its newline. */
const lines = (texts: ReadonlyArray<string>): Uint8Array => {
  const bytes = Buffer.allocUnsafe(texts.reduce((size, { length }) => size + length + 1, 0))
  let at = 0
  for (const text of texts) at = bytes.writeUInt8(newline, at + bytes.write(text, at, "latin1"))
  return bytes
}

const fault = (rule: Fault["rule"], detail: string) => new Fault({ rule, detail })

const details = { json: "a frame is not JSON", shape: "a frame holds what this version does not know" }

const opened = <A>(
  plaintext: Uint8Array,
  decode: (bytes: Uint8Array) => Either.Either<A, Json.Reason>
): Either.Either<A, Fault> =>
  plaintext.length > maxPlaintext
    ? Either.left(fault("shape", `a frame holds more than ${maxPlaintext} bytes`))
    : Either.mapLeft(decode(plaintext), (reason) => fault(reason, details[reason]))

const open = (fernet: Fernet.Shape, key: Keys.AnyKey, text: string): Either.Either<Uint8Array, Fault> =>
  Either.mapLeft(fernet.decrypt([key], text), (error) =>
    error.reason === "malformed"
      ? fault("line", "a line is not a Fernet token")
      : fault("token", "a frame does not open under this session's key")
  )

const decodeUp = Json.strict(Protocol.UpFrame, Shortcut.isUpFrame)
const decodeDown = Json.strict(Protocol.DownFrame, Shortcut.isDownFrame)
const decodeGroup = Json.strict(Protocol.GroupFrame, Shortcut.isGroupFrame)

/** Counts the frames of one direction: a gap and a repeat are faults. */
class Counter {
  private next = 0
  check<A extends { readonly frame: number }>(frame: A): Either.Either<A, Fault> {
    if (frame.frame !== this.next) {
      return Either.left(fault("frame-number", `frame ${frame.frame} came where ${this.next} was due`))
    }
    this.next += 1
    return Either.right(frame)
  }
}

/** Reads what a client sends, on the server's side. */
export class UpReader {
  private readonly counter = new Counter()
  constructor(
    private readonly fernet: Fernet.Shape,
    private readonly key: Keys.AnyKey
  ) {}

  /** The plaintext of a line. That it opens shows that the other side holds this session's key, and nothing yet more. */
  open(text: string): Either.Either<Uint8Array, Fault> {
    return open(this.fernet, this.key, text)
  }

  /** The frame that a plaintext holds, if it is the next one. */
  decode(plaintext: Uint8Array): Either.Either<Protocol.UpFrame, Fault> {
    return Either.flatMap(opened(plaintext, decodeUp), (frame) => this.counter.check(frame))
  }

  /** {@link open} and {@link decode} in one. */
  read(text: string): Either.Either<Protocol.UpFrame, Fault> {
    return Either.flatMap(this.open(text), (plaintext) => this.decode(plaintext))
  }
}

/** What a client reads: its own frames, and those of all once it has the group key. */
export type Received =
  | { readonly _tag: "Down"; readonly messages: Protocol.DownFrame["messages"] }
  | { readonly _tag: "Group"; readonly frame: Protocol.GroupFrame }

/** Reads what a server sends, on the client's side. */
export class DownReader {
  private readonly counter = new Counter()
  constructor(
    private readonly fernet: Fernet.Shape,
    private readonly key: Keys.AnyKey
  ) {}

  /** `group` is the newest group key, tried first: to a live session almost every frame comes under it. */
  read(text: string, group: Keys.AnyKey | undefined): Either.Either<Received, Fault> {
    if (group !== undefined) {
      const plaintext = open(this.fernet, group, text)
      if (Either.isRight(plaintext)) {
        return Either.map(opened(plaintext.right, decodeGroup), (frame) => ({ _tag: "Group", frame }))
      }
    }
    return open(this.fernet, this.key, text).pipe(
      Either.flatMap((plaintext) => opened(plaintext, decodeDown)),
      Either.flatMap((frame) => this.counter.check(frame)),
      Either.map(({ messages }) => ({ _tag: "Down", messages }))
    )
  }
}
