/** A Store in memory that outlives the logs opened over it: a disk for tests, open to be looked at and tampered with. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Entropy } from "../../src/domain/Entropy.js"
import { makeId } from "../../src/server/Log.js"
import { type MemberRow, type Row, Store } from "../../src/server/Store.js"

/** What is stored, in order. */
export interface Disk {
  rows: Array<Row>
  members: Map<string, MemberRow>
}

export const make = Effect.map(Entropy, (entropy) => {
  const id = makeId(entropy)
  const disk: Disk = { rows: [], members: new Map() }
  const layer = Layer.succeed(
    Store,
    Store.of({
      id,
      bounds: Effect.sync(() => {
        const [oldest, head] = [disk.rows[0], disk.rows.at(-1)]
        return oldest === undefined || head === undefined
          ? Option.none()
          : Option.some([oldest.first, head.last] as const)
      }),
      members: Effect.sync(() => Array.from(disk.members.values())),
      commit: (rows, members) =>
        Effect.sync(() => {
          disk.rows.push(...rows)
          for (const member of members) disk.members.set(member.ticket, member)
        }),
      reseal: (rows, members) =>
        Effect.sync(() => {
          for (const { was, ...row } of rows) {
            const at = disk.rows.findIndex(({ first, token }) => first === row.first && token === was)
            if (at >= 0) disk.rows[at] = row
          }
          for (const { was, ...member } of members) {
            if (disk.members.get(member.ticket)?.token === was) disk.members.set(member.ticket, member)
          }
        }),
      rows: (after, limit) => Effect.sync(() => disk.rows.filter(({ last }) => last > after).slice(0, limit)),
      drop: (last) =>
        Effect.sync(() => {
          disk.rows = disk.rows.filter((row, index) => row.last > last || index === disk.rows.length - 1)
        })
    })
  )
  return { disk, layer }
})
