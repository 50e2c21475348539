/** What waits in front of the Room for its next batch. */
import type * as Deferred from "effect/Deferred"
import type { Downlink } from "./Downlink.js"
import type { Operation } from "./Operation.js"
import * as RoomState from "./RoomState.js"

/** What sessions, and time, ask of the Room. */
export type Command = RoomState.Command<Downlink>

export type Item =
  | Command
  | Operation
  | { readonly _tag: "Flush"; readonly done: Deferred.Deferred<void> }
  /** Time to offer the log again what it has refused. */
  | { readonly _tag: "Retry" }

/** Whether somebody waits for an answer to it, or for what is told of it. */
export const isUrgent = (item: Item): boolean => {
  switch (item._tag) {
    case "Nick":
      return item.message.ticket === undefined
    case "Say":
    case "Operation":
    case "Flush":
    case "Retry":
      return true
    case "Leave":
    case "Ready":
    case "Lost":
    case "Overdue":
      return false
  }
}

/** Bytes that are said with it. */
export const sizeOf = (item: Item): number =>
  item._tag === "Say" ? item.messages.reduce((sum, { sealed }) => sum + sealed.length, 0) : 0

/** Decides it at time `at` (ms). */
export const decide = (state: RoomState.State<Downlink>, item: Command | Operation, at: number) =>
  item._tag === "Operation" ? item.decide(state, at) : RoomState.decide(state, item, at)
