import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Checks from "../src/cli/Checks.js"
import type * as Admin from "../src/domain/Admin.js"
import * as Keys from "../src/domain/Keys.js"
import * as Protocol from "../src/domain/Protocol.js"
import * as Room from "./utils/Room.js"

const year = Date.UTC(2027, 0, 1)
const at = { host: "127.0.0.1", port: 55555 }
const disk = { bytes: 2048, free: 5 * 1024 ** 3 }

describe("of Node", () => {
  it.each([
    ["20.0.0", "ok"],
    ["24.1.0", "ok"],
    ["18.20.4", "fail"],
    ["9.0.0", "fail"]
  ])("version %s is %s", (version, result) => {
    expect(Checks.node(version)).toMatchObject({ check: "node", result })
  })
})

describe("of the key", () => {
  const room: Keys.KeySet = { _tag: "RoomKeys", keys: Room.roomKeys }
  const read = (keys: Keys.KeySet) => Checks.key("secret.key", Either.right(keys))

  it("tells which kind it is, and its words, which are the same of both kinds", () => {
    const [words] = /\w+( \w+){5}$/.exec(read(room).message) ?? []
    expect(read(room)).toMatchObject({ result: "ok", message: `secret.key holds a room key; its words: ${words}` })
    expect(read({ _tag: "ServerKeys", keys: Room.serverKeys })).toMatchObject({
      result: "ok",
      message: `secret.key holds a server key: it serves, and does not join; its words: ${words}`
    })
    const [key] = Room.roomKeys
    expect(read({ _tag: "RoomKeys", keys: [key, key, key] }).message).toContain("a room key and 2 for reading;")
    expect(read(room).message).not.toContain(Keys.toBase64Url(key))
  })

  it("is something to know of where there is none, and wrong where it will not do", () => {
    const without = (reason: string) => Checks.key("secret.key", Either.left({ reason, message: "run chmod" }))
    expect(without("missing")).toMatchObject({ result: "warn", message: expect.stringContaining("chat s makes one") })
    for (const reason of ["readable-by-others", "mixed", "malformed", "unreadable"]) {
      expect(without(reason)).toEqual({ check: "key", result: "fail", message: "run chmod" })
    }
  })
})

describe("of the clock", () => {
  it.each([
    ["now", year, undefined, "ok"],
    ["the last event in the past", year, year - 1, "ok"],
    ["the last event right now", year, year, "ok"],
    ["the last event in the future", year, year + 1, "warn"],
    ["before there was this program", Date.UTC(2025, 11, 31), undefined, "fail"],
    ["1970", 0, undefined, "fail"]
  ])("%s is judged", (_, now, past, result) => {
    expect(Checks.clock(now, past)).toMatchObject({ check: "clock", result })
  })
})

describe("of the port", () => {
  it.each<[Checks.Port, Checks.Result, string]>([
    [{ _tag: "Free" }, "ok", "127.0.0.1:55555 is free"],
    [{ _tag: "Chat" }, "ok", "a chat of this key serves on"],
    [{ _tag: "OtherVersion", message: "here 1, there 2" }, "warn", "another version: here 1, there 2"],
    [{ _tag: "Other" }, "fail", "--port"],
    [{ _tag: "Taken" }, "warn", "without a key"],
    [{ _tag: "Denied", message: "choose a port above 1023" }, "fail", "above 1023"]
  ])("%j is judged", (found, result, part) => {
    expect(Checks.port(at, found)).toMatchObject({ check: "port", result, message: expect.stringContaining(part) })
  })

  it("0 is whichever is free", () => {
    expect(Checks.port({ ...at, port: 0 }, { _tag: "Free" }).message).toBe("a free one is taken")
  })
})

describe("of addresses", () => {
  const own = ["192.0.2.7", "2001:db8::7"]
  const judged = (host: string, of = own, answering?: ReadonlyArray<string>) => {
    const { message, result } = Checks.addresses({ host, port: 5 }, of, answering)
    return `${result} ${message}`
  }

  it("others are told those that the server is to listen on", () => {
    expect(judged("0.0.0.0")).toBe("ok tell others 192.0.2.7:5")
    expect(judged("::")).toBe("ok tell others 192.0.2.7:5, [2001:db8::7]:5")
    expect(judged("192.0.2.7")).toBe("ok tell others 192.0.2.7:5")
    expect(judged("chat.example")).toBe("ok tell others chat.example:5")
  })

  it("nobody else reaches one of this machine only, or one on no network", () => {
    for (const host of ["127.0.0.1", "127.8.8.8", "::1", "localhost"]) {
      expect(judged(host)).toMatch(/^warn only this machine .*--host 0\.0\.0\.0.* 192\.0\.2\.7:5, \[2001:db8::7\]:5$/)
    }
    expect(judged("127.0.0.1", [])).toContain("no network")
    expect(judged("0.0.0.0", [])).toMatch(/^warn .*no network/)
  })

  it("a server that runs is reached where it answers, whatever is asked for", () => {
    expect(judged("127.0.0.1", own, ["192.0.2.7"])).toBe("ok tell others 192.0.2.7:5")
    expect(judged("0.0.0.0", own, [])).toMatch(/^warn only this machine reaches the server that runs: end it, /)
  })
})

describe("of the database", () => {
  it.each<[Checks.Database, Checks.Result, string]>([
    [{ _tag: "Missing" }, "ok", "chat s makes it; 5.0 GiB free on its disk"],
    [{ _tag: "InUse", isOurs: true }, "ok", "the server that runs here keeps its log in chat.db; 2.0 KiB"],
    [{ _tag: "InUse", isOurs: false }, "fail", "another process"],
    [{ _tag: "Unavailable", message: "chat.db is damaged" }, "fail", "chat.db is damaged"],
    [{ _tag: "Unclosed" }, "warn", "keep the files beside it"],
    [{ _tag: "Whole", head: 7 }, "ok", "up to event 7; 2.0 KiB, 5.0 GiB free"],
    [{ _tag: "Whole", head: undefined }, "ok", "chat.db is whole; "]
  ])("%j is judged", (found, result, part) => {
    expect(Checks.database("chat.db", found, disk)).toMatchObject({
      check: "database",
      result,
      message: expect.stringContaining(part)
    })
  })

  it("one that a server has whose socket is elsewhere is no fault, unless its disk is full", () => {
    const judged = (found: Checks.Database, free = disk.free) =>
      Checks.database("chat.db", found, { ...disk, free }, true)
    expect(judged({ _tag: "InUse", isOurs: false })).toEqual({
      check: "database",
      result: "warn",
      message: "a server keeps its log in chat.db: name its socket with --socket"
    })
    expect(judged({ _tag: "InUse", isOurs: false }, 0)).toMatchObject({ result: "fail" })
    expect(judged({ _tag: "Whole", head: 7 })).toMatchObject({ result: "ok" })
  })

  it("a full disk is told in time, where it is known", () => {
    const judged = (free: number | undefined) =>
      Checks.database("chat.db", { _tag: "Whole", head: 7 }, { bytes: 1, free }).result
    expect([undefined, 2 * 1024 ** 3, 1024 ** 3 - 1, 16 * 1024 ** 2 - 1, 0].map(judged)).toEqual([
      "ok",
      "ok",
      "warn",
      "fail",
      "fail"
    ])
  })
})

describe("of the socket", () => {
  const stats: Admin.Stats = {
    _tag: "Stats",
    since: 0,
    uptime: 60,
    members: 3,
    live: 3,
    catchingUp: 0,
    halfOpen: 0,
    head: Protocol.Position.make(7),
    oldest: Protocol.Seq.make(1),
    taking: true,
    epoch: 1,
    texts: 0,
    deliveries: 0,
    refusals: {},
    process: { version: "1.0.0", node: "20", memory: 1 }
  }
  it.each<[string, Checks.Socket, Checks.Result, string]>([
    ["nobody", { _tag: "Nobody" }, "ok", "none runs here"],
    ["another's", { _tag: "Unreachable", message: "another user's" }, "warn", "another user's"],
    ["none to be, as asked", { _tag: "Unusable", reason: "a reason", isNamed: true }, "fail", "a reason. Name another"],
    ["none to be", { _tag: "Unusable", reason: "a reason", isNamed: false }, "warn", "chat s cannot make the socket"],
    ["a server", { _tag: "Answered", stats, version: "1.0.0" }, "ok", "up for 1 minute 0 seconds, with 3 here"],
    ["an older server", { _tag: "Answered", stats, version: "1.1.0" }, "warn", "it is 1.0.0, and this 1.1.0"],
    ["a stuck one", { _tag: "Answered", stats: { ...stats, taking: false }, version: "1.0.0" }, "fail", "takes nothing"]
  ])("%s is judged", (_, found, result, part) => {
    expect(Checks.socket("chat.sock", found)).toMatchObject({
      check: "socket",
      result,
      message: expect.stringContaining(part)
    })
  })
})

it("of the socket: nobody at it is something to know of where a server runs", () => {
  expect(Checks.socket("chat.sock", { _tag: "Nobody" }, true)).toEqual({
    check: "socket",
    result: "warn",
    message: "no server answers at chat.sock, but one runs here: name its socket with --socket"
  })
})

describe("of open files", () => {
  it.each([
    [1_048_576, 10_000, "ok", "1048576 may be open, enough for 10000 connections"],
    [10_050, 10_000, "ok", "enough for 10000"],
    [10_049, 10_000, "warn", "too few for the 10000 connections that a server takes: raise that with ulimit -n"],
    [1_024, Number.POSITIVE_INFINITY, "warn", "the connections without limit"],
    [undefined, Number.POSITIVE_INFINITY, "ok", "no limit"]
  ] as const)("%s, for %s connections", (limit, connections, result, part) => {
    expect(Checks.files(limit, connections)).toMatchObject({
      check: "files",
      result,
      message: expect.stringContaining(part)
    })
  })
})

describe("of the terminal", () => {
  const good = { columns: 80, depth: 8, isDumb: false, isUtf8: true }
  it.each<[Checks.Terminal, Checks.Result, string]>([
    [undefined, "ok", "as in a pipe"],
    [good, "ok", "80 columns, UTF-8, 256 colours"],
    [{ ...good, depth: 1 }, "ok", "no colours"],
    [{ ...good, isUtf8: false }, "warn", "LANG"],
    [{ ...good, isDumb: true }, "warn", "TERM"],
    [{ ...good, columns: 39 }, "warn", "39 columns"]
  ])("%j is judged", (found, result, part) => {
    expect(Checks.terminal(found)).toMatchObject({ check: "terminal", result, message: expect.stringContaining(part) })
  })
})

describe("of a client's files", () => {
  it.each<[Checks.State, Checks.Result, string]>([
    [{ _tag: "Missing", isWritable: true }, "ok", "chat c makes it"],
    [{ _tag: "Missing", isWritable: false }, "fail", "XDG_STATE_HOME"],
    [{ _tag: "There", isWritable: true, isOpen: false }, "ok", "encrypted"],
    [{ _tag: "There", isWritable: true, isOpen: true }, "warn", "chmod go-w '/my home/fernet-chat'"],
    [{ _tag: "There", isWritable: false, isOpen: true }, "fail", "you may not write"],
    [{ _tag: "NoDirectory" }, "fail", "is no directory"],
    [{ _tag: "Unavailable", message: "no home" }, "fail", "no home"]
  ])("%j is judged", (found, result, part) => {
    expect(Checks.state("/my home/fernet-chat", found)).toMatchObject({
      check: "state",
      result,
      message: expect.stringContaining(part)
    })
  })
})

describe("the report", () => {
  const of = (...results: ReadonlyArray<Checks.Result>) =>
    Checks.report(results.map((result) => ({ check: "clock", result, message: "as it is" })))

  it("is as bad as the worst of it", () => {
    expect([of("ok"), of("ok", "warn"), of("fail", "warn", "ok")].map(({ result }) => result)).toEqual([
      "ok",
      "warn",
      "fail"
    ])
  })

  it("is a finding a line", () => {
    expect(Checks.format(of("ok", "warn"))).toBe("ok    clock      as it is\nwarn  clock      as it is")
  })
})
