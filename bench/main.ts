import * as Effect from "effect/Effect"

const [, , role] = process.argv
if (role === "load") {
  const { run } = await import("./load/Generator.js")
  await Effect.runPromise(Effect.scoped(run))
} else {
  const { start } = await import("./load/Trial.js")
  const test = Effect.gen(function* () {
    const names = ["memory", "bare"] as const
    const members = Number(process.argv[3] ?? 100)
    const trials = yield* Effect.forEach(names, (peer) => start({ peer, members, speakers: 64 }))
    for (let i = 0; i < 4; i++)
      for (const [k, t] of trials.entries()) {
        const m = yield* t.run({ speakers: 4, framing: "packed", pace: { _tag: "Window", texts: 64 }, seconds: 0.5 })
        console.log(
          names[k],
          t.joinSeconds.toFixed(2),
          (m.serverCpu / m.deliveries).toFixed(3),
          "us; busy",
          (m.serverCpu / m.seconds / 1e6).toFixed(2),
          (m.loadCpu / m.seconds / 1e6).toFixed(2),
          Math.round(m.deliveries / m.seconds),
          m
        )
      }
  })
  await Effect.runPromise(Effect.scoped(test))
}
