/**
 * What almost every frame holds, told at once: texts, and the frames full of them. To decode one by its schema costs
 * more than to open the token it came in. A shortcut may say no to what the schema accepts, which is then asked; it never
 * says yes to what the schema refuses or would write otherwise, so that the schemas alone say what is refused.
 */
import * as Base64Url from "./Base64Url.js"
import * as Protocol from "./Protocol.js"
import type * as Seal from "./Seal.js"

type Fields = { readonly [name: string]: unknown }

/** Whether `value` has these fields, in this order, and no other. */
const isOf = (value: unknown, names: ReadonlyArray<string>): value is Fields => {
  if (typeof value !== "object" || value === null) return false
  const keys = Object.keys(value)
  if (keys.length !== names.length) return false
  for (let at = 0; at < keys.length; at++) if (keys[at] !== names[at]) return false
  return true
}

const isFrom = (value: unknown, least: number): value is number =>
  typeof value === "number" && value >= least && Number.isSafeInteger(value)

const isWellFormed = (value: unknown): value is string => typeof value === "string" && value.isWellFormed()

const isSeal = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= Protocol.maxSealed && Base64Url.isCanonical(value)

/** 16 bytes are 22 characters and two of padding. */
const isId = (value: unknown): value is string =>
  typeof value === "string" && value.length === 24 && value.endsWith("==") && Base64Url.isCanonical(value)

const isListOf = (value: unknown, most: number, isItem: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length > 0 && value.length <= most && value.every(isItem)

const sayFields = ["_tag", "n", "sealed"]
const isSay = (value: unknown): boolean =>
  isOf(value, sayFields) && value._tag === "Say" && isFrom(value.n, 1) && isSeal(value.sealed)

const chatFields = ["_tag", "seq", "at", "member", "nick", "n", "sealed"]
const isChat = (value: unknown): boolean =>
  isOf(value, chatFields) &&
  value._tag === "Chat" &&
  isFrom(value.seq, 1) &&
  isFrom(value.at, 0) &&
  isFrom(value.member, 1) &&
  isWellFormed(value.nick) &&
  isFrom(value.n, 1) &&
  isSeal(value.sealed)

const eventsFields = ["_tag", "events"]
const isEvents = (value: unknown): boolean =>
  isOf(value, eventsFields) && value._tag === "Events" && isListOf(value.events, Number.POSITIVE_INFINITY, isChat)

const frameFields = ["frame", "messages"]

/** A frame of texts that a client says. */
export const isUpFrame = (value: unknown): value is Protocol.UpFrame =>
  isOf(value, frameFields) && isFrom(value.frame, 0) && isListOf(value.messages, Protocol.maxMessages, isSay)

/** A frame of texts from the log, to one client. */
export const isDownFrame = (value: unknown): value is Protocol.DownFrame =>
  isOf(value, frameFields) && isFrom(value.frame, 0) && isListOf(value.messages, Number.POSITIVE_INFINITY, isEvents)

const groupFields = ["epoch", "events"]

/** A frame of texts, to all. */
export const isGroupFrame = (value: unknown): value is Protocol.GroupFrame =>
  isOf(value, groupFields) && isFrom(value.epoch, 0) && isListOf(value.events, Number.POSITIVE_INFINITY, isChat)

/** Longer texts may have too many characters, which the schema counts. */
const shortText = 2_000

const sealedFields = ["log", "member", "n", "nick", "text"]

/** What a seal holds, but for actions and long texts. */
export const isSealed = (value: unknown): value is Seal.Sealed =>
  isOf(value, sealedFields) &&
  isId(value.log) &&
  isFrom(value.member, 1) &&
  isFrom(value.n, 1) &&
  isWellFormed(value.nick) &&
  isWellFormed(value.text) &&
  value.text !== "" &&
  value.text.length <= shortText
