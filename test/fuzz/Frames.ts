/** Frames: lines that were tampered with never open, and of what opens only what the schemas know is taken. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Entropy } from "../../src/domain/Entropy.js"
import { Fault } from "../../src/domain/Fault.js"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Json from "../../src/domain/Json.js"
import * as Keys from "../../src/domain/Keys.js"
import * as Protocol from "../../src/domain/Protocol.js"
import * as Wire from "../../src/domain/Wire.js"
import { Dice } from "../simulation/Dice.js"
import * as JsonMutation from "./JsonMutation.js"
import * as Mutation from "./Mutation.js"
import * as Sample from "./Sample.js"
import { accepted, check, isSame, refused, type Target, type Verdict } from "./Target.js"

const setUp = new Dice(0xf4a3e5)

/** Fernet whose IVs come from a seed: what is made before the first input is the same in every run. */
export const fernet: Fernet.Shape = Effect.runSync(
  Effect.provide(Fernet.Fernet, Fernet.layer).pipe(
    Effect.provideService(Entropy, { bytes: (length) => setUp.bytes(length) })
  )
)

const key = <Use extends string>(): Keys.Key<Use> => Keys.fromBytes<Use>(setUp.bytes(32))
const up = key<"up">()
const down = key<"down">()
const group = key<"group">()
const other = { up: key<"up">(), down: key<"down">(), group: key<"group">() }

const count = 48
const lines = (key: Keys.AnyKey, frame: (dice: Dice, at: number) => unknown) =>
  Array.from({ length: count }, (_, at) => fernet.encrypt([key], Json.encode(frame(setUp, at))) as string)

/** What was really sent, in both directions and in another session; the frames of each direction are numbered. */
const sent = {
  up: lines(up, Sample.upFrame),
  down: lines(down, Sample.downFrame),
  group: lines(group, Sample.groupFrame),
  others: [
    ...lines(other.up, Sample.upFrame),
    ...lines(other.down, Sample.downFrame),
    ...lines(other.group, Sample.groupFrame)
  ]
}
const all = [...sent.up, ...sent.down, ...sent.group, ...sent.others]

const ruleOf = (fault: unknown, known: ReadonlyArray<string>): Verdict => {
  check(fault instanceof Fault, `it was refused without a Fault: ${String(fault)}`)
  return refused(fault.rule, known)
}

/**
 * A line as somebody on the path could send it: one that was seen, of here or elsewhere, or two of them, spoilt. Now and
 * then it is the one that is due.
 */
const tampered = (dice: Dice, own: ReadonlyArray<string>, due: number): string => {
  if (dice.chance(0.03)) return own[due] ?? ""
  const seen = dice.chance(0.7) ? dice.pick(own) : dice.pick(all)
  return dice.chance(0.1) ? seen : Mutation.text(dice, seen, dice.pick(dice.chance(0.5) ? own : all))
}

/** What must become of a line in a session that has had `had` frames, `own` being those that were made for it. */
const judge = (
  line: string,
  own: ReadonlyArray<string>,
  had: number,
  read: Either.Either<unknown, Fault>
): Verdict | undefined => {
  const at = own.indexOf(line)
  if (Either.isRight(read)) {
    check(at === had, at === -1 ? "a forged line was taken" : `frame ${at} was taken where ${had} was due`)
    return undefined
  }
  check(at !== had, `the frame that was due was refused: ${read.left.message}`)
  return ruleOf(read.left, at === -1 ? ["line", "token"] : ["frame-number"])
}

/** Lines of a direction in order, then one that is tampered with, is a repeat, or comes too early. */
const upLines: Target = {
  name: "frames to the server",
  share: 18,
  once: (dice) => {
    const reader = new Wire.UpReader(fernet, up)
    const good = dice.chance(0.2) ? dice.whole(0, 4) : 0
    for (let at = 0; at < good; at++) {
      const line = sent.up[at] ?? ""
      judge(line, sent.up, at, reader.read(line))
    }
    const line = tampered(dice, sent.up, good)
    return judge(line, sent.up, good, reader.read(line)) ?? accepted
  }
}

const downLines: Target = {
  name: "frames to a client",
  share: 16,
  once: (dice) => {
    const reader = new Wire.DownReader(fernet, down)
    const isLive = dice.chance(0.7)
    const good = dice.chance(0.2) ? dice.whole(0, 4) : 0
    for (let at = 0; at < good; at++) {
      const line = sent.down[at] ?? ""
      judge(line, sent.down, at, reader.read(line, isLive ? group : undefined))
    }
    const line = tampered(dice, dice.chance(0.5) ? sent.down : sent.group, good)
    const read = reader.read(line, isLive ? group : undefined)
    if (isLive && sent.group.includes(line)) {
      check(Either.isRight(read) && read.right._tag === "Group", "a frame for all was not taken as such")
      return accepted
    }
    check(Either.isLeft(read) || read.right._tag === "Down", "a forged frame for all was taken")
    return judge(line, sent.down, good, read) ?? accepted
  }
}

interface Kind<A> {
  readonly name: string
  readonly sample: (dice: Dice) => unknown
  /** As the readers of the wire decode a plaintext. */
  readonly read: (plaintext: Uint8Array) => Either.Either<A, Fault>
  /** The schema without its shortcut. */
  readonly schema: (plaintext: Uint8Array) => Either.Either<A, Json.Reason>
  /** The frame that `value` becomes when it is written and read again. */
  readonly again: (value: A) => unknown
}

/** What is left of a writer's lines when a reader has taken them. */
const readAll = <A>(bytes: Uint8Array, read: (line: string) => Either.Either<ReadonlyArray<A>, Fault>) =>
  Buffer.from(bytes)
    .toString("latin1")
    .trimEnd()
    .split("\n")
    .flatMap((line) => Either.getOrThrow(read(line)))

const upKind: Kind<Protocol.UpFrame> = {
  name: "messages to the server",
  sample: (dice) => Sample.upFrame(dice),
  read: (plaintext) => new Wire.UpReader(fernet, up).decode(plaintext),
  schema: Json.strict(Protocol.UpFrame),
  again: ({ frame, messages }) => {
    const reader = new Wire.UpReader(fernet, up)
    const written = new Wire.Writer<Protocol.ClientMessage>(fernet, up, Protocol.maxMessages).lines(messages)
    return { frame, messages: readAll(written, (line) => Either.map(reader.read(line), (frame) => frame.messages)) }
  }
}

const downOf = (received: Wire.Received) => (received._tag === "Down" ? received.messages : [])
const groupOf = (received: Wire.Received) => (received._tag === "Group" ? received.frame.events : [])

const downKind: Kind<Protocol.DownFrame> = {
  name: "messages to a client",
  sample: (dice) => Sample.downFrame(dice),
  read: (plaintext) =>
    Either.map(
      new Wire.DownReader(fernet, down).read(fernet.encrypt([down], plaintext), group),
      // A reader tells the messages only; their number was 0.
      (received) => {
        check(received._tag === "Down", "a frame for one client was taken as one for all")
        return { frame: 0, messages: received.messages }
      }
    ),
  schema: Json.strict(Protocol.DownFrame),
  again: ({ frame, messages }) => {
    const reader = new Wire.DownReader(fernet, down)
    const written = new Wire.Writer<Protocol.ServerMessage>(fernet, down).lines(messages)
    return { frame, messages: readAll(written, (line) => Either.map(reader.read(line, undefined), downOf)) }
  }
}

const groupKind: Kind<Protocol.GroupFrame> = {
  name: "events to all",
  sample: Sample.groupFrame,
  read: (plaintext) =>
    Either.map(new Wire.DownReader(fernet, down).read(fernet.encrypt([group], plaintext), group), (received) => {
      check(received._tag === "Group", "a frame for all was taken as one for one client")
      return received.frame
    }),
  schema: Json.strict(Protocol.GroupFrame),
  again: ({ epoch, events }) => {
    const reader = new Wire.DownReader(fernet, down)
    const written = Wire.groupLines(fernet, group, epoch, events)
    return { epoch, events: readAll(written, (line) => Either.map(reader.read(line, group), groupOf)) }
  }
}

/** Numbers may be written longer than they came, so that what just fitted a frame does no more. */
const surelyFits = 30_000

const messages = <A>({ again, name, read, sample, schema }: Kind<A>): Target => ({
  name,
  share: 10,
  once: (dice) => {
    const good = sample(dice)
    const isGood = dice.chance(0.1)
    const plaintext = isGood ? Json.encode(good) : JsonMutation.bytes(dice, good, sample(dice))
    const seen = read(plaintext)
    const plain = schema(plaintext)
    const isLong = plaintext.length > Wire.maxPlaintext
    if (Either.isLeft(seen)) {
      check(!isGood || isLong, `what is right was refused: ${seen.left.message}`)
      const rule = ruleOf(seen.left, ["json", "shape", "frame-number"])
      const isDue = rule === "frame-number" || (isLong ? rule === "shape" : Either.isLeft(plain) && plain.left === rule)
      check(isDue, `it was refused by ${rule}, which the schema does not say`)
      return rule
    }
    check(!isLong, "a frame that is too long was taken")
    check(Either.isRight(plain), "a shortcut took what the schema refuses")
    check(isSame(seen.right, plain.right), "a shortcut took it otherwise than the schema")
    const written = Json.encode(seen.right)
    if (written.length <= Wire.maxPlaintext) {
      const reread = schema(written)
      check(Either.isRight(reread) && isSame(reread.right, seen.right), "what was taken is written otherwise")
    }
    if (written.length < surelyFits && dice.chance(0.2)) {
      check(isSame(again(seen.right), seen.right), "what was taken comes out of a writer otherwise")
    }
    return accepted
  }
})

export const targets: ReadonlyArray<Target> = [
  upLines,
  downLines,
  messages(upKind),
  messages(downKind),
  messages(groupKind)
]
