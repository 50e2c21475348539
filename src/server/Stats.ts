/** How a server is: what its room and its connections know, and what was counted. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as MetricPair from "effect/MetricPair"
import * as MetricState from "effect/MetricState"
import type * as Admin from "../domain/Admin.js"
import type { Connections } from "./Connections.js"
import type { Room } from "./Room.js"

/** What counters of one name have counted, by the value of a label; without that label by the empty text. */
const counted = (snapshot: ReadonlyArray<MetricPair.MetricPair.Untyped>, name: string, label?: string) => {
  const counts: Record<string, number> = {}
  for (const { metricKey, metricState } of snapshot) {
    if (metricKey.name !== name || !MetricState.isCounterState(metricState)) continue
    counts[metricKey.tags.find(({ key }) => key === label)?.value ?? ""] = Number(metricState.count)
  }
  return counts
}

/** How it is now; `since` (ms) is when it started. */
export const take = Effect.fnUntraced(function* (room: Room["Type"], connections: Connections, since: number) {
  const snapshot = yield* Metric.snapshot
  const overview = yield* room.overview
  const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
  const { halfOpen, sessions } = connections.counts
  const total = (name: string) => counted(snapshot, name)[""] ?? 0
  const stats: Admin.Stats = {
    _tag: "Stats",
    since,
    // A clock that was set back has not begun yet.
    uptime: Math.max(Math.floor((now - since) / 1_000), 0),
    ...overview,
    // A session that has just ended may still be in the room.
    catchingUp: Math.max(sessions - overview.live, 0),
    halfOpen,
    texts: total("chat_texts_total"),
    deliveries: total("chat_deliveries_total"),
    refusals: counted(snapshot, "chat_refusals_total", "reason")
  }
  return stats
})
