import { describe, expect, it } from "@effect/vitest"
import * as AdminText from "../src/cli/AdminText.js"
import type * as Admin from "../src/domain/Admin.js"
import * as Protocol from "../src/domain/Protocol.js"

const stats: Admin.Stats = {
  _tag: "Stats",
  since: 1_767_225_600_000,
  uptime: 90_061,
  members: 3,
  live: 2,
  catchingUp: 1,
  halfOpen: 0,
  head: Protocol.Position.make(7),
  oldest: Protocol.Seq.make(2),
  taking: true,
  epoch: 4,
  texts: 5,
  deliveries: 10,
  refusals: { "wrong-key": 0, full: 0 }
}

describe("what is printed for people", () => {
  it.each([
    [0, "0 seconds"],
    [1, "1 second"],
    [59, "59 seconds"],
    [60, "1 minute 0 seconds"],
    [3_600, "1 hour 0 minutes"],
    [7_325, "2 hours 2 minutes"],
    [90_061, "1 day 1 hour"]
  ])("is %d seconds as %s", (seconds, text) => {
    expect(AdminText.duration(seconds)).toBe(text)
  })

  it.each([
    [0, "0 bytes"],
    [1_023, "1023 bytes"],
    [1_024, "1.0 KiB"],
    [1_536, "1.5 KiB"],
    [104_857_600, "100 MiB"],
    [5 * 1024 ** 4, "5.0 TiB"]
  ])("is %d bytes as %s", (bytes, text) => {
    expect(AdminText.size(bytes)).toBe(text)
  })

  it("is a value a line, refusals by their reason where there are any", () => {
    expect(AdminText.stats(stats)).toBe(
      [
        "up for       1 day 1 hour",
        "up since     2026-01-01T00:00:00Z",
        "members      3",
        "live         2",
        "catching up  1",
        "half-open    0",
        "texts        5",
        "deliveries   10",
        "refused      0",
        "head         7",
        "oldest       2",
        "log takes    yes",
        "epoch        4"
      ].join("\n")
    )
    const process = { version: "1.2.3", node: "20.0.0", memory: 2 ** 20, log: { file: "chat.db", bytes: 512 } }
    const troubled = AdminText.stats({
      ...stats,
      taking: false,
      refusals: { "wrong-key": 3, full: 0, version: 1 },
      process
    })
    for (const line of [
      /^version +1\.2\.3, Node 20\.0\.0$/m,
      /^refused wrong-key +3\nrefused version +1$/m,
      /^log takes +no: nothing that is said is acknowledged$/m,
      /^log file +chat\.db\nlog size +512 bytes$/m,
      /^memory +1\.0 MiB$/m
    ]) {
      expect(troubled).toMatch(line)
    }
    expect(troubled).not.toContain("full")
    expect(AdminText.stats({ ...stats, process: { version: "1", node: "20", memory: 0 } })).toMatch(
      /^log file +none: it is in memory$/m
    )
  })

  it("says who is here, or that nobody is", () => {
    const ada = { member: Protocol.MemberId.make(1), nick: "ada", connection: "away" as const, since: 0 }
    expect(
      AdminText.names({
        _tag: "NameList",
        names: [ada, { ...ada, connection: "live", from: "192.0.2.1:9" }],
        more: false
      })
    ).toBe("ada (@1) away since 1970-01-01T00:00:00Z\nada (@1) live since 1970-01-01T00:00:00Z, from 192.0.2.1:9")
    expect(AdminText.names({ _tag: "NameList", names: [], more: false })).toBe("nobody is here")
  })
})
