/** JSON spoilt as JSON: values, keys and nesting changed, numbers made huge, and what no value stands for written in. */
import { Buffer } from "node:buffer"
import type { Dice } from "../simulation/Dice.js"
import * as Mutation from "./Mutation.js"

/** Stands in a value for text that no value is written as. */
const mark = "\u0001raw\u0001"

const deep = (dice: Dice): string => {
  const depth = Math.floor(dice.scale(1, dice.chance(0.2) ? 20_000 : 100))
  return dice.chance(0.5)
    ? `${"[".repeat(depth)}${"]".repeat(depth)}`
    : `${'{"a":'.repeat(Math.floor(depth / 3))}1${"}".repeat(Math.floor(depth / 3))}`
}

const raws: ReadonlyArray<(dice: Dice) => string> = [
  deep,
  (dice) => `1${"0".repeat(Math.floor(dice.scale(1, 5_000)))}`,
  (dice) => `0.${"3".repeat(dice.whole(1, 400))}`,
  (dice) =>
    dice.pick([
      "1e999",
      "-1e999",
      "-0",
      "1.0",
      "1e2",
      "01",
      "0x1",
      "+1",
      "NaN",
      "9007199254740993",
      "1E-400",
      "undefined"
    ]),
  (dice) =>
    dice.pick([
      '"\\ud800"',
      '"\\u0000"',
      '"\\u0041"',
      '"\\/"',
      '"\\x"',
      '"\t"',
      "'a'",
      '"\\ud83d\\ude00"',
      '"a',
      "[1,]"
    ])
]

const strings: ReadonlyArray<(dice: Dice) => string> = [
  () => "",
  (dice) => "x".repeat(Math.floor(dice.scale(1, dice.chance(0.2) ? 50_000 : 200))),
  (dice) => "\u{1f600}".repeat(Math.floor(dice.scale(1, dice.chance(0.2) ? 5_000 : 100))),
  (dice) => Buffer.from(dice.bytes(dice.whole(0, 40))).toString("base64url"),
  (dice) => Buffer.from(dice.bytes(dice.pick([15, 16, 17, 31, 32, 33, 24_576]))).toString("base64"),
  (dice) =>
    dice.pick(["\ud800", "a\udc00", "\0", "\u202e", "\n", "__proto__", "constructor", "toString", "A===", "AA=="])
]

const numbers = [
  0,
  -0,
  -1,
  1,
  2,
  0.5,
  1e15,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  -(2 ** 53),
  1e300,
  Number.MIN_VALUE,
  500,
  501
] as const

const keys = [
  "_tag",
  "frame",
  "messages",
  "epoch",
  "events",
  "n",
  "at",
  "__proto__",
  "constructor",
  "toString",
  "length",
  "",
  "x"
]

/** Another value in place of `value`. */
const other = (dice: Dice, value: unknown, donor: unknown): unknown => {
  if (dice.chance(0.15)) return mark
  if (dice.chance(0.15)) return dice.pick([null, true, [], {}, [[]], { toString: 1 }, donor])
  if (dice.chance(0.1)) return dice.chance(0.5) ? [value] : { [dice.pick(keys)]: value }
  if (typeof value === "number") return dice.chance(0.3) ? value + dice.whole(-2, 2) : dice.pick(numbers)
  if (typeof value === "string") {
    return dice.chance(0.4) ? Mutation.text(dice, value, String(donor)) : dice.pick(strings)(dice)
  }
  return dice.chance(0.5) ? dice.pick(numbers) : dice.pick(strings)(dice)
}

type Fields = Record<string, unknown>
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Own properties only, `__proto__` among them. */
const fieldsOf = (entries: ReadonlyArray<readonly [string, unknown]>): Fields => Object.fromEntries(entries)

/** One change somewhere in `value`; the deeper, the likelier. */
const change = (dice: Dice, value: unknown, donor: unknown): unknown => {
  if (Array.isArray(value) && value.length > 0 && dice.chance(0.9)) {
    const at = dice.whole(0, value.length - 1)
    if (dice.chance(0.7)) return value.with(at, change(dice, value[at], donor))
    if (dice.chance(0.3)) return value.toSpliced(at, 1)
    if (dice.chance(0.5))
      return value.toSpliced(
        at,
        0,
        ...Array.from({ length: dice.whole(1, dice.chance(0.1) ? 70 : 3) }, () => value[at])
      )
    return value.toReversed()
  }
  if (isFields(value) && dice.chance(0.95)) {
    const entries = Object.entries(value)
    if (entries.length === 0 || dice.chance(0.1)) return fieldsOf([...entries, [dice.pick(keys), donor]])
    const at = dice.whole(0, entries.length - 1)
    const [key, inner] = entries[at] ?? ["", undefined]
    if (dice.chance(0.75)) return fieldsOf(entries.with(at, [key, change(dice, inner, donor)]))
    if (dice.chance(0.4)) return fieldsOf(entries.toSpliced(at, 1))
    if (dice.chance(0.4)) return fieldsOf(entries.with(at, [dice.pick(keys), inner]))
    return fieldsOf(entries.toReversed())
  }
  return other(dice, value, donor)
}

/** Some part of `value`, at any depth. */
const partOf = (dice: Dice, value: unknown): unknown => {
  const inner = typeof value === "object" && value !== null ? Object.values(value) : []
  return inner.length === 0 || dice.chance(0.3) ? value : partOf(dice, dice.pick(inner))
}

/** The JSON of `value` after one to three changes, with parts of `donor` in it; sometimes spoilt as text besides. */
export const bytes = (dice: Dice, value: unknown, donor: unknown): Uint8Array => {
  let now = value
  const rounds = dice.chance(0.7) ? 1 : dice.whole(2, 3)
  for (let round = 0; round < rounds; round++) now = change(dice, now, partOf(dice, donor))
  const json = JSON.stringify(now).replaceAll(JSON.stringify(mark), () => dice.pick(raws)(dice))
  const written = Buffer.from(
    dice.chance(0.03) ? dice.pick([`\ufeff${json}`, ` ${json}\n`, json.replace("{", '{"frame":0,'), `${json}}`]) : json
  )
  return dice.chance(0.1) ? Mutation.bytes(dice, written, Buffer.from(JSON.stringify(donor))) : written
}
