/** A server under measurement: it has a core to itself, and its members have joined. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Peer } from "../peers/Peer.js"
import * as Peers from "../peers/Peers.js"
import * as Child from "../utils/Child.js"
import * as Process from "../utils/Process.js"
import type { Load, Measured, Report, Request, Target } from "./Load.js"

/** There is nothing to measure: `message` says where, and why. */
export class TrialError extends Data.TaggedError("TrialError")<{ readonly message: string }> {}

/** A server that has started. */
export interface Started {
  /** Joins the members, of whom the first few may talk, for the life of the Scope. */
  readonly join: Effect.Effect<Trial, TrialError, Scope.Scope>
  /** Memory (KiB) of the server. To be asked when there has been nothing to do for {@link restTime}. */
  readonly memory: Effect.Effect<number>
}

/** A server whose members have joined. */
export interface Trial {
  /** How long all members together took to join. */
  readonly joinSeconds: number
  readonly run: (load: Load) => Effect.Effect<Measured, TrialError>
}

/** How long V8 keeps the memory in which objects are young, 32 MiB, after it has last needed it. */
export const restTime = "10 seconds"

/** How long letting go of garbage takes. */
const collectTime = "500 millis"

/** This program as it was built: it is started again in other roles. */
const program = new URL("main.js", import.meta.url).href

/** Joins members to a server that has been started, for the life of the Scope. */
export const join = Effect.fnUntraced(function* (target: Target) {
  const { members, peer } = target
  const fail = (reason: string) =>
    new TrialError({ message: `${Peers.peers[peer].name}, ${members} members: ${reason}` })
  const generator = yield* Child.startOn<Request, Report>(Process.loadCore, program, "load")
  /** Asks the generator for something, and gives what it answers with. */
  const ask = <Tag extends Report["_tag"]>(request: Request, tag: Tag) =>
    Effect.gen(function* () {
      yield* generator.send(request)
      const report = yield* generator.report
      if (is(report, tag)) return report
      return yield* fail(report._tag === "Failed" ? report.reason : `it answers with ${report._tag}`)
    }).pipe(Effect.catchAllDefect((defect) => fail(String(defect))))

  const { seconds } = yield* ask({ _tag: "Join", target }, "Joined")
  const trial: Trial = {
    joinSeconds: seconds,
    run: (load) => Effect.map(ask({ _tag: "Run", load }, "Measured"), ({ measured }) => measured)
  }
  return trial
})

/** Starts a server for so many members, for the life of the Scope. */
export const start = (
  name: Peers.Name,
  members: number,
  speakers: number
): Effect.Effect<Started, never, Scope.Scope> =>
  Effect.gen(function* () {
    const peer: Peer = Peers.peers[name]
    const server = yield* peer.start(members)
    const memory = Effect.gen(function* () {
      if (peer.collect !== undefined) yield* peer.collect(server)
      yield* Effect.sleep(collectTime)
      return Process.memory(server.pid)
    })
    return { join: join({ peer: name, members, speakers, ...server }), memory }
  })

const is = <Tag extends Report["_tag"]>(report: Report, tag: Tag): report is Extract<Report, { readonly _tag: Tag }> =>
  report._tag === tag
