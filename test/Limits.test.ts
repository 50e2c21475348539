import { describe, expect, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LimitFlags from "../src/cli/LimitFlags.js"
import * as Fernet from "../src/domain/Fernet.js"
import * as TransportMemory from "../src/domain/TransportMemory.js"
import * as Limits from "../src/server/Limits.js"
import * as Log from "../src/server/Log.js"
import * as Server from "../src/server/Server.js"
import * as RawClient from "./utils/RawClient.js"
import * as Room from "./utils/Room.js"

const given = (variables: Record<string, string>) =>
  Effect.withConfigProvider(Limits.config, ConfigProvider.fromMap(new Map(Object.entries(variables))))

describe("limits from variables", () => {
  it.effect("are the standard ones where there are none, or empty ones", () =>
    Effect.gen(function* () {
      expect(yield* given({})).toEqual(Limits.standard)
      expect(yield* given({ CHAT_RATE: "", CHAT_GRACE: "" })).toEqual(Limits.standard)
    })
  )

  it.effect("are those that help tells of", () =>
    Effect.gen(function* () {
      expect(LimitFlags.defaults.size).toBe(Object.keys(Limits.standard).length)
      expect(yield* given(Object.fromEntries(LimitFlags.defaults))).toEqual(Limits.standard)
    })
  )

  it.effect("are what they say", () =>
    Effect.gen(function* () {
      const limits = yield* given({
        CHAT_HISTORY: "0",
        CHAT_HALF_OPEN: "1",
        CHAT_CONNECTIONS_PER_ADDRESS: "unlimited",
        CHAT_GRACE: "2 minutes",
        CHAT_EPOCH: "forever"
      })
      expect(limits).toEqual({
        ...Limits.standard,
        history: 0,
        halfOpen: 1,
        connectionsPerAddress: Number.POSITIVE_INFINITY,
        grace: Duration.minutes(2),
        epoch: Duration.infinity
      })
    })
  )

  const nonsense: ReadonlyArray<readonly [variable: string, value: string, message: string]> = [
    ["CHAT_RATE", "0", "--rate or $CHAT_RATE is a number from 1 on, or unlimited"],
    ["CHAT_RATE", "-1", "--rate or $CHAT_RATE is a number from 1 on, or unlimited"],
    ["CHAT_RATE", "0x10", "--rate or $CHAT_RATE is a number from 1 on, or unlimited"],
    ["CHAT_EPOCH", "999 millis", "--epoch or $CHAT_EPOCH is a number and a unit"],
    ["CHAT_RATE", "1.5", "--rate or $CHAT_RATE is a number from 1 on, or unlimited"],
    ["CHAT_HISTORY", "all", "--history or $CHAT_HISTORY is a number from 0 on, or unlimited"],
    ["CHAT_HALF_OPEN_PER_ADDRESS", "0", "--half-open-per-address or $CHAT_HALF_OPEN_PER_ADDRESS is a number from 1 on"],
    [
      "CHAT_OPENING",
      "10",
      "--opening or $CHAT_OPENING is a number and a unit, as in '30 seconds', a second or more, or forever"
    ],
    ["CHAT_OPENING", "0 seconds", "--opening or $CHAT_OPENING is a number and a unit"],
    ["CHAT_SILENT_AFTER", "30 seconds", "--ping-after is shorter than --silent-after"]
  ]
  it.effect.each(nonsense)("are refused where they make no sense: %s=%s", ([variable, value, message]) =>
    Effect.map(Effect.flip(given({ [variable]: value })), (error) => expect(String(error)).toContain(message))
  )

  it.effect("may let everybody be silent for ever", () =>
    Effect.map(given({ CHAT_PING_AFTER: "forever", CHAT_SILENT_AFTER: "forever" }), ({ pingAfter, silentAfter }) =>
      expect([pingAfter, silentAfter]).toEqual([Duration.infinity, Duration.infinity])
    )
  )

  it.effect("give way to flags of the same name", () =>
    Effect.gen(function* () {
      const limits = yield* LimitFlags.load(
        new Map([
          ["CHAT_RATE", "3"],
          ["CHAT_EPOCH", "2 hours"]
        ])
      )
      expect(limits).toEqual({ ...Limits.standard, rate: 3, epoch: Duration.hours(2) })
      const error = yield* Effect.flip(LimitFlags.load(new Map([["CHAT_RATE", "fast"]])))
      expect(error.message).toBe("--rate or $CHAT_RATE is a number from 1 on, or unlimited")
    })
  )

  it.scoped("are a server's, by its Config", () =>
    Effect.gen(function* () {
      const first = yield* RawClient.joined("ada")
      const second = yield* RawClient.open
      second.send({ _tag: "Nick", nick: "eve", ticket: RawClient.ticket })
      expect(yield* RawClient.untilEnd(second)).toEqual([{ _tag: "Bye", reason: "full" }])
      first.send({ _tag: "Ping", at: 1 })
      yield* RawClient.until(first, "Pong")
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Server.layerConfig({ keys: Config.succeed(Room.serverKeys), connections: Config.integer("PLACES") }).pipe(
          Layer.provideMerge(Layer.mergeAll(TransportMemory.layer, Log.layerMemory(), Fernet.layer))
        )
      ),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["PLACES", "1"]])))
    )
  )
})
