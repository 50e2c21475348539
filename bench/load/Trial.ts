/** A server under measurement: it has a core to itself, and its members have joined. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Peer } from "../peers/Peer.js"
import * as Peers from "../peers/Peers.js"
import * as Child from "../utils/Child.js"
import * as Process from "../utils/Process.js"
import type { Load, Measured, Report, Request } from "./Load.js"

/** There is nothing to measure: `message` says where, and why. */
export class TrialError extends Data.TaggedError("TrialError")<{ readonly message: string }> {}

export interface Trial {
  /** How long all members together took to join. */
  readonly joinSeconds: number
  /** Memory (KiB) that the server has for a member. To be asked when nobody has talked for {@link restTime}. */
  readonly memory: Effect.Effect<number>
  readonly run: (load: Load) => Effect.Effect<Measured, TrialError>
}

/** How long V8 keeps the memory in which objects are young, 32 MiB, after it has last needed it. */
export const restTime = "10 seconds"

/** How long letting go of garbage takes. */
const collectTime = "500 millis"

/** This program as it was built: it is started again in other roles. */
const program = new URL("main.js", import.meta.url).href

/** Starts a server and joins its members, of whom the first few may talk, for the life of the Scope. */
export const start = (
  name: Peers.Name,
  members: number,
  speakers: number
): Effect.Effect<Trial, TrialError, Scope.Scope> =>
  Effect.gen(function* () {
    const peer: Peer = Peers.peers[name]
    const fail = (reason: string) => new TrialError({ message: `${peer.name}, ${members} members: ${reason}` })
    const server = yield* peer.start(members)
    const memory = Effect.gen(function* () {
      if (peer.collect !== undefined) yield* peer.collect(server)
      yield* Effect.sleep(collectTime)
      return Process.memory(server.pid)
    })
    const empty = yield* memory
    const generator = yield* Child.startOn<Request, Report>(Process.loadCore, program, "load")

    /** Asks the generator for something, and gives what it answers with. */
    const ask = <Tag extends Report["_tag"]>(request: Request, tag: Tag) =>
      Effect.gen(function* () {
        yield* generator.send(request)
        const report = yield* generator.report
        if (is(report, tag)) return report
        return yield* fail(report._tag === "Failed" ? report.reason : `it answers with ${report._tag}`)
      }).pipe(Effect.catchAllDefect((defect) => fail(String(defect))))

    const joined = yield* ask({ _tag: "Join", target: { peer: name, members, speakers, ...server } }, "Joined")
    return {
      joinSeconds: joined.seconds,
      memory: Effect.map(memory, (full) => (full - empty) / members),
      run: (load) => Effect.map(ask({ _tag: "Run", load }, "Measured"), ({ measured }) => measured)
    }
  })

const is = <Tag extends Report["_tag"]>(report: Report, tag: Tag): report is Extract<Report, { readonly _tag: Tag }> =>
  report._tag === tag
