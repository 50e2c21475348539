/** What the process of the server has and holds, to be compared with what it had before. */
import { readdirSync } from "node:fs"
import { Socket } from "node:net"
import * as V8 from "node:v8"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { EventLoop } from "../../src/domain/EventLoop.js"
import { Downlink } from "../../src/server/Downlink.js"
import { Server } from "../../src/server/Server.js"

export interface Inventory {
  /** Bytes of V8's heap, and of what it keeps outside of it. */
  readonly heap: number
  readonly outside: number
  /** Bytes in memory, those of other threads and of what is free to be used again included. */
  readonly rss: number
  /** Files, sockets and the like; none where there is no /proc. */
  readonly descriptors: number | undefined
  /** Fibers that have begun and have not ended. */
  readonly fibers: number
  /** What keeps the process running, by kind: timers, sockets, threads' ports. */
  readonly handles: Readonly<Record<string, number>>
  /** Objects that somebody still holds: of all registries, what any of them keeps. None where node cannot tell. */
  readonly objects: Readonly<Record<"sessions" | "sockets", number>> | undefined
  readonly connections: number
  readonly members: number
}

/** Who is there. */
export const look = Effect.gen(function* () {
  const server = yield* Server
  return { connections: yield* server.connections, members: yield* server.members }
})

const descriptors = (): number | undefined => {
  try {
    // The one that reads the directory is one of them, each time.
    return readdirSync("/proc/self/fd").length
  } catch {
    return undefined
  }
}

const handles = (): Record<string, number> => {
  const count: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) count[kind] = (count[kind] ?? 0) + 1
  return count
}

/** It collects garbage by itself before it counts. Node has it from 20.13 on. */
const objects = (): Inventory["objects"] =>
  typeof V8.queryObjects === "function"
    ? {
        sessions: V8.queryObjects(Downlink, { format: "count" }),
        sockets: V8.queryObjects(Socket, { format: "count" })
      }
    : undefined

/** Collects garbage, more than once, since what one collection finalizes only the next may free; and takes stock. */
export const take = Effect.gen(function* () {
  const { gc } = globalThis
  if (gc === undefined) return yield* Effect.dieMessage("garbage cannot be collected: start node with --expose-gc")
  for (let times = 0; times < 3; times++) {
    gc()
    yield* Effect.sleep("20 millis")
  }
  const held = objects()
  // Timers that were due have fired by now, and those that fire again are set again.
  yield* (yield* EventLoop).turn
  // Effect counts them by itself, as long as RuntimeMetrics is among the flags of the runtime, which is its default. This
  // is one of them.
  const { count: fibers } = yield* Metric.value(Metric.fiberActive)
  if (fibers === 0) return yield* Effect.dieMessage("fibers are not counted: the runtime's RuntimeMetrics are off")
  const { external, heapUsed, rss } = process.memoryUsage()
  const inventory: Inventory = {
    heap: heapUsed,
    outside: external,
    rss,
    descriptors: descriptors(),
    fibers,
    handles: handles(),
    objects: held,
    ...(yield* look)
  }
  return inventory
})
