/**
 * What is asked of the log from before the events that this client was told: requests of any size, each in steps of what
 * one Fetch may ask for, and one Fetch at a time, since an answer carries no name of what it answers. Nothing here waits.
 */
import * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as HashMap from "effect/HashMap"
import { EventLoop } from "../domain/EventLoop.js"
import type * as Fernet from "../domain/Fernet.js"
import type * as Keys from "../domain/Keys.js"
import type * as Protocol from "../domain/Protocol.js"
import * as Entry from "./Entry.js"
import * as Failure from "./Failure.js"
import * as Seen from "./Seen.js"

/** Most events that one Fetch asks for. */
export const step = 500

/** Events that are opened before others have a turn. */
const openedAtOnce = 64

/** Contiguous events, oldest first, and the oldest that the log had when they came. */
export interface Piece {
  readonly events: ReadonlyArray<Protocol.Event>
  readonly oldest: Protocol.Seq
}

export interface Request {
  /** The log that `before` counts in. */
  readonly log: Protocol.LogId
  readonly done: Deferred.Deferred<Piece, Failure.HistoryError>
  /** What is yet to be fetched: so many events before this one. */
  before: Protocol.Seq
  limit: number
  /** What has been fetched, the newest first. */
  readonly steps: Array<ReadonlyArray<Protocol.Event>>
}

export class Fetching {
  /** In the order in which they are asked. */
  private readonly requests: Array<Request> = []
  /** The request whose Fetch waits for its answer, and what has come of that; it may have been given up meanwhile. */
  private asked: { readonly request: Request; readonly events: Array<Protocol.Event> } | undefined
  private closed: Failure.HistoryError | undefined

  /** Asks for the newest `limit` events before `before`: 1 at least, all there are for an infinite limit. */
  ask(log: Protocol.LogId, before: Protocol.Seq, limit: number): Request {
    const done: Request["done"] = Deferred.unsafeMake(FiberId.none)
    const request: Request = { log, done, before, limit: Math.max(Math.floor(limit) || 1, 1), steps: [] }
    if (this.closed === undefined) this.requests.push(request)
    else Deferred.unsafeDone(done, Effect.fail(this.closed))
    return request
  }

  /** Nobody waits for it any more. One that is done is given up already. */
  giveUp(request: Request): void {
    const index = this.requests.indexOf(request)
    if (index >= 0) this.requests.splice(index, 1)
  }

  /** What is to be sent next; nothing while an answer has yet to come. */
  next(): Protocol.Fetch | undefined {
    const [request] = this.requests
    if (this.asked !== undefined || request === undefined) return undefined
    this.asked = { request, events: [] }
    return { _tag: "Fetch", before: request.before, limit: Math.min(request.limit, step) }
  }

  /** Takes in a part of the answer, the last of it where it `isWhole`. */
  receive({ events, oldest }: Protocol.History, isWhole: boolean): void {
    if (this.asked === undefined) return
    this.asked.events.push(...events)
    if (!isWhole) return
    const { events: all, request } = this.asked
    this.asked = undefined
    if (!this.requests.includes(request)) return
    this.giveUp(request)
    request.steps.push(all)
    request.limit -= all.length
    const [first] = all
    if (first === undefined || request.limit <= 0 || first.seq <= oldest) {
      Deferred.unsafeDone(request.done, Effect.succeed({ events: request.steps.reverse().flat(), oldest }))
    } else {
      request.before = first.seq
      // Behind the others: a long history does not keep a short one waiting.
      this.requests.push(request)
    }
  }

  /** The connection is lost, and with it the answer that was to come. */
  lose(): void {
    this.asked = undefined
  }

  /** It is let in again, to `log`: nobody can fetch from another any more. */
  welcome(log: Protocol.LogId): void {
    for (const request of this.requests.filter((request) => request.log !== log)) {
      this.giveUp(request)
      Deferred.unsafeDone(request.done, Effect.fail(Failure.otherLog()))
    }
  }

  /** The end, for all who wait. */
  end(error: Failure.Disconnected): void {
    this.closed = Failure.unfetched(error)
    for (const { done } of this.requests.splice(0)) Deferred.unsafeDone(done, Effect.fail(this.closed))
  }
}

/**
 * Opens events of a log from before those a client was told, for the `member` it is there. The first text of each author
 * is taken as it comes; from there on each has to be the next.
 */
export const open = Effect.fnUntraced(function* (
  fernet: Fernet.Shape,
  keys: Keys.Ring<Keys.MessageKey>,
  { log, member }: Pick<Seen.Seen, "log" | "member">,
  events: ReadonlyArray<Protocol.Event>
) {
  const { aside } = yield* EventLoop
  const entries: Array<Entry.Logged> = []
  let said: Seen.Seen["said"] = HashMap.empty()
  for (const some of Arr.chunksOf(events, openedAtOnce)) {
    yield* aside
    for (const event of some) {
      entries.push(Entry.read(fernet, keys, { log, member, said }, event))
      if (event._tag === "Chat") said = Seen.text(said, event.member, event.n)
    }
  }
  return entries
})
