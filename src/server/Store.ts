/**
 * Where a log is kept: rows that show nothing of what they hold. One implementation is an SQL database; what is
 * encrypted, and how, is not decided here.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Protocol from "../domain/Protocol.js"
import type { LogError } from "./Log.js"

/** A batch of events, or a part of one: a sealed token, and which events are in it. */
export const Row = Schema.Struct({ first: Protocol.Seq, last: Protocol.Seq, token: Schema.String })
export type Row = typeof Row.Type

/** A member: the hash of its ticket, and a sealed token. */
export const MemberRow = Schema.Struct({ ticket: Schema.String, token: Schema.String })
export type MemberRow = typeof MemberRow.Type

/** A row or a member that gets another token, in place of the one that it has. */
export type Resealed<Sealed extends { readonly token: string }> = Sealed & { readonly was: string }

export class Store extends Context.Tag("fernet-chat/Store")<
  Store,
  {
    /** The id of the log that is kept here, made with the store. */
    readonly id: Protocol.LogId
    /** The oldest and the newest `seq` there is; none in an empty store. Rows between them have no gap. */
    readonly bounds: Effect.Effect<Option.Option<readonly [oldest: Protocol.Seq, head: Protocol.Seq]>, LogError>
    /** All members. */
    readonly members: Effect.Effect<ReadonlyArray<MemberRow>, LogError>
    /** Makes rows and members durable, all of it or nothing. A member replaces the one with its ticket. */
    readonly commit: (rows: ReadonlyArray<Row>, members: ReadonlyArray<MemberRow>) => Effect.Effect<void, LogError>
    /** Puts tokens in place of others, all of it or nothing. What has another token by now, or is gone, is left so. */
    readonly reseal: (
      rows: ReadonlyArray<Resealed<Row>>,
      members: ReadonlyArray<Resealed<MemberRow>>
    ) => Effect.Effect<void, LogError>
    /** At most `limit` rows in order, from the one that holds `after + 1` on, or from the oldest when that is later. */
    readonly rows: (after: Protocol.Position, limit: number) => Effect.Effect<ReadonlyArray<Row>, LogError>
    /** Drops the rows that hold nothing beyond `last`, but never the newest row. */
    readonly drop: (last: Protocol.Position) => Effect.Effect<void, LogError>
  }
>() {}
