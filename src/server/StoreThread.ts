/**
 * What goes between a server and the thread that keeps its log (see LogSql). Plain messages, not the worker of
 * @effect/platform: its requests, each of fibers and schemas on either side, cost about as much as the commit itself.
 */
import type * as Protocol from "../domain/Protocol.js"
import type { LogError } from "./Log.js"
import type { MemberRow, Resealed, Row } from "./Store.js"

/** What the thread is started with. */
export interface Start {
  readonly file: string
  readonly maxBytes: number | undefined
}

/** An operation of the Store, or the last message there is. */
export type Request =
  | { readonly _tag: "Bounds" }
  | { readonly _tag: "Members" }
  | { readonly _tag: "Commit"; readonly rows: ReadonlyArray<Row>; readonly members: ReadonlyArray<MemberRow> }
  | {
      readonly _tag: "Reseal"
      readonly rows: ReadonlyArray<Resealed<Row>>
      readonly members: ReadonlyArray<Resealed<MemberRow>>
    }
  | { readonly _tag: "Rows"; readonly after: Protocol.Position; readonly limit: number }
  | { readonly _tag: "Drop"; readonly last: Protocol.Position }
  | { readonly _tag: "Close" }

/** The outcome of opening the store (its id), and then of each request, in their order. */
export type Answer =
  | { readonly _tag: "Success"; readonly value: unknown }
  | { readonly _tag: "Failure"; readonly error: Pick<LogError, "reason" | "message"> }
