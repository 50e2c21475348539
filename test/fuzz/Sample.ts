/** What well-behaved peers could say, from a seed: what is spoilt, and what must be let through as it is. */
import * as Base64Url from "../../src/domain/Base64Url.js"
import type { Dice } from "../simulation/Dice.js"

const text = (dice: Dice): string =>
  dice.pick(["ada", "bob", "Жанна", "名前", "a\u0301", "e.v-e_", "\u{1f600}", "a\nb\tc", "x".repeat(dice.whole(1, 60))])

const integer = (dice: Dice): number => dice.pick([0, 1, 2, dice.whole(0, 1_000_000), 2 ** 53 - 1])
const positive = (dice: Dice): number => Math.max(1, integer(dice))
const base64 = (dice: Dice, length: number): string => Base64Url.encode(dice.bytes(length))
const seal = (dice: Dice): string => base64(dice, dice.whole(1, dice.chance(0.02) ? 3_000 : 60))
const list = (dice: Dice, item: (dice: Dice) => unknown, most = 4): ReadonlyArray<unknown> =>
  Array.from({ length: dice.whole(1, most) }, () => item(dice))

const common = (dice: Dice) => ({
  seq: positive(dice),
  at: integer(dice),
  member: positive(dice),
  nick: text(dice)
})

const chat = (dice: Dice) => ({ _tag: "Chat", ...common(dice), n: positive(dice), sealed: seal(dice) })

const event = (dice: Dice): unknown =>
  dice.pick([
    chat,
    chat,
    () => ({ _tag: "Joined", ...common(dice) }),
    () => ({ _tag: "Left", ...common(dice), reason: dice.pick(["quit", "timeout", "kicked"]) }),
    () => ({ _tag: "Renamed", ...common(dice), was: text(dice) }),
    () => ({ _tag: "Notice", seq: positive(dice), at: integer(dice), text: text(dice) })
  ])(dice)

const say = (dice: Dice) => ({ _tag: "Say", n: positive(dice), sealed: seal(dice) })

const clientMessage = (dice: Dice): unknown =>
  dice.pick([
    say,
    say,
    () => ({ _tag: "Nick", nick: text(dice) }),
    () => ({ _tag: "Nick", nick: text(dice), ticket: base64(dice, 16) }),
    () => ({ _tag: "Nick", nick: text(dice), ticket: base64(dice, 16), log: base64(dice, 16), after: integer(dice) }),
    () => ({ _tag: "Fetch", before: positive(dice), limit: dice.whole(1, 500) }),
    () => ({ _tag: "Leave" }),
    () => ({ _tag: dice.pick(["Ping", "Pong"]), at: integer(dice) })
  ])(dice)

const events = (dice: Dice) => ({ _tag: "Events", events: list(dice, dice.chance(0.5) ? chat : event) })

const serverMessage = (dice: Dice): unknown =>
  dice.pick([
    events,
    events,
    () => ({
      _tag: "Welcome",
      log: base64(dice, 16),
      head: positive(dice),
      after: integer(dice),
      member: positive(dice),
      nick: text(dice),
      acked: integer(dice),
      count: positive(dice)
    }),
    () => ({ _tag: "Members", members: list(dice, () => ({ member: positive(dice), nick: text(dice) })) }),
    () => ({ _tag: "History", events: dice.chance(0.3) ? [] : list(dice, event), oldest: positive(dice) }),
    () => ({ _tag: "Rekey", epoch: integer(dice), key: base64(dice, 32) }),
    () => ({ _tag: "Rejected", reason: dice.pick(["nick-taken", "nick-invalid"]), detail: text(dice) }),
    () => ({ _tag: "Bye", reason: dice.pick(["quit", "kicked", "full", "slow", "protocol", "shutdown"]) }),
    () => ({ _tag: dice.pick(["Ping", "Pong"]), at: integer(dice), last: integer(dice) })
  ])(dice)

export const upFrame = (dice: Dice, frame = 0): unknown => ({ frame, messages: list(dice, clientMessage) })
export const downFrame = (dice: Dice, frame = 0): unknown => ({ frame, messages: list(dice, serverMessage) })
export const groupFrame = (dice: Dice): unknown => ({ epoch: integer(dice), events: list(dice, event) })

/** The plain content of a seal. */
export const seen = (dice: Dice) => ({
  log: base64(dice, 16),
  member: positive(dice),
  n: positive(dice),
  nick: text(dice),
  text: dice.chance(0.05) ? "\u{1f600}".repeat(dice.whole(1_990, 4_000)) : text(dice),
  ...(dice.chance(0.2) ? { me: dice.chance(0.5) } : {})
})
