/** A server under measurement: it has a core to itself, and its members have joined. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Peer, Server } from "../peers/Peer.js"
import * as Peers from "../peers/Peers.js"
import * as Child from "../utils/Child.js"
import * as Process from "../utils/Process.js"
import type { Load, Measured, Report, Request } from "./Load.js"

/** There is nothing to measure: `message` says where, and why. */
export class TrialError extends Data.TaggedError("TrialError")<{ readonly message: string }> {}

export interface Trial {
  /** How long all members together took to join. */
  readonly joinSeconds: number
  /** Memory (KiB) that the server has for a member, now that they have joined and nobody talks. */
  readonly memory: number
  readonly run: (load: Load) => Effect.Effect<Measured, TrialError>
}

/** This program as it was built: it is started again in other roles. */
const program = new URL("main.js", import.meta.url).href

/** A server is quiet when it has used less CPU time (µs) than this in a tenth of a second. */
const quiet = 1000

/** Waits until a server has done what it had to do, and let go of what it no longer needs; what memory (KiB) it has then. */
const memoryOf = (peer: Peer, server: Server): Effect.Effect<number> =>
  Effect.gen(function* () {
    if (peer.collect !== undefined) yield* peer.collect(server)
    let used = Number.POSITIVE_INFINITY
    for (let tries = 0; used > quiet && tries < 50; tries++) {
      const before = Process.cpu(server.pid)
      yield* Effect.sleep("100 millis")
      used = Process.cpu(server.pid) - before
    }
    return Process.memory(server.pid)
  })

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
    const empty = yield* memoryOf(peer, server)
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
      memory: ((yield* memoryOf(peer, server)) - empty) / members,
      run: (load) => Effect.map(ask({ _tag: "Run", load }, "Measured"), ({ measured }) => measured)
    }
  })

const is = <Tag extends Report["_tag"]>(report: Report, tag: Tag): report is Extract<Report, { readonly _tag: Tag }> =>
  report._tag === tag
