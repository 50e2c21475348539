/** What `chat admin` prints of a server's answers, for people. */
import type * as Admin from "../domain/Admin.js"
import type * as Protocol from "../domain/Protocol.js"

const listed = ({ members, more }: Admin.Some): string =>
  members.map(({ nick }) => nick).join(", ") + (more > 0 ? ` and ${more} more` : "")

/** A time (ms) to the second, in UTC. */
export const utc = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, "Z")

const keyNote = "who holds the key can come back from elsewhere as somebody new: only a new key shuts out for good"

export const kicked = ({ nick }: Admin.Kicked): string =>
  `kicked ${nick}, who may join again: chat admin ban ${nick} keeps a kicked member out`

export const banned = ({ member, network, nick, others }: Admin.Banned, ticketOnly: boolean): string => {
  const alone = ticketOnly ? "" : ": where it came from is not known any more"
  const lines = [
    network === undefined ? `banned ${nick}, by its ticket only${alone}` : `banned ${nick}, and all from ${network}`,
    ...(others.members.length === 0
      ? []
      : [
          `also here from ${network}: ${listed(others)}; they stay, but are not let in again`,
          `to let them in, bar the ticket alone: chat admin ban --ticket-only @${member}`
        ]),
    keyNote
  ]
  return lines.join("\n")
}

export const unbanned = ({ network, nick, others }: Admin.Unbanned): string => {
  if (network === undefined) return `unbanned ${nick}`
  return others.members.length === 0
    ? `unbanned ${nick}, and all from ${network}`
    : `unbanned ${nick}\nall from ${network} stay barred, by the ban of ${listed(others)}`
}

export const bans = ({ bans }: Admin.BanList): string =>
  bans.length === 0
    ? "nobody is banned"
    : bans
        .map(({ at, member, network, nick }) => {
          const scope = network === undefined ? "by its ticket only" : `and all from ${network}`
          return `${nick} (@${member}) since ${utc(at)}, ${scope}`
        })
        .join("\n")

const connections: Record<Admin.Name["connection"], string> = {
  live: "live",
  "catching-up": "catching up",
  away: "away"
}

export const names = ({ names }: Admin.NameList): string =>
  names.length === 0
    ? "nobody is here"
    : names
        .map(({ connection, from, member, nick, since }) => {
          const where = from === undefined ? "" : `, from ${from}`
          return `${nick} (@${member}) ${connections[connection]} since ${utc(since)}${where}`
        })
        .join("\n")

export const said = ({ seq }: Protocol.Notice): string => `said to all, as event ${seq}`

export const stopping = (_: Admin.Stopping): string => "the server is ending"

/** A length of time in its two largest units, as in 3 days 4 hours. */
export const duration = (seconds: number): string => {
  const parts = [
    [Math.floor(seconds / 86_400), "day"],
    [Math.floor(seconds / 3_600) % 24, "hour"],
    [Math.floor(seconds / 60) % 60, "minute"],
    [seconds % 60, "second"]
  ] as const
  const first = parts.findIndex(([value]) => value > 0)
  const told = parts.slice(first === -1 ? -1 : first).slice(0, 2)
  return told.map(([value, unit]) => `${value} ${unit}${value === 1 ? "" : "s"}`).join(" ")
}

/** A size, as in 1.5 MiB. */
export const size = (bytes: number): string => {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  const value = bytes / 1024 ** power
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`
}

/** A name and a value a line. */
export const stats = (answer: Admin.Stats): string => {
  const { process } = answer
  const refused = Object.entries(answer.refusals).filter(([, times]) => times > 0)
  const lines: ReadonlyArray<readonly [string, string | number]> = [
    ...(process === undefined ? [] : [["version", `${process.version}, Node ${process.node}`] as const]),
    ["up for", duration(answer.uptime)],
    ["up since", utc(answer.since)],
    ["members", answer.members],
    ["live", answer.live],
    ["catching up", answer.catchingUp],
    ["half-open", answer.halfOpen],
    ["texts", answer.texts],
    ["deliveries", answer.deliveries],
    ...(refused.length === 0
      ? [["refused", 0] as const]
      : refused.map(([reason, times]) => [`refused ${reason}`, times] as const)),
    ["head", answer.head],
    ["oldest", answer.oldest],
    ["log takes", answer.taking ? "yes" : "no: nothing that is said is acknowledged"],
    ...(process === undefined
      ? []
      : [
          ["log file", process.log?.file ?? "none: it is in memory"] as const,
          ...(process.log === undefined ? [] : [["log size", size(process.log.bytes)] as const]),
          ["memory", size(process.memory)] as const
        ]),
    ["epoch", answer.epoch]
  ]
  const width = Math.max(...lines.map(([name]) => name.length))
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n")
}
