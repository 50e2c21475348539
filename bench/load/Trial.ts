/** A server under measurement: it has a core to itself, and its members have joined. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Server } from "../peers/Peer.js"
import * as Peers from "../peers/Peers.js"
import * as Child from "../utils/Child.js"
import * as Process from "../utils/Process.js"
import type { Load, Measured, Report, Request } from "./Load.js"
import { usualSize } from "./Texts.js"

/** Nothing is to be measured there: `message` says why. */
export class TrialError extends Data.TaggedError("TrialError")<{ readonly message: string }> {}

export interface Trial {
  readonly server: Server
  /** How long joining took. */
  readonly joinSeconds: number
  readonly run: (load: Load) => Effect.Effect<Measured, TrialError>
}

export interface Options {
  readonly peer: Peers.Name
  /** Bytes of a text. */
  readonly size?: number
  readonly members: number
  /** At most so many will talk. */
  readonly speakers: number
  /** Called between the start of the server and the first member. */
  readonly before?: (server: Server) => Effect.Effect<void>
}

/** This program as it was built: it is started again in other roles. */
const program = new URL("main.js", import.meta.url).href

/** Starts a server and joins its members, for the life of the Scope. */
export const start = ({
  before,
  members,
  peer: name,
  size = usualSize,
  speakers
}: Options): Effect.Effect<Trial, TrialError, Scope.Scope> =>
  Effect.gen(function* () {
    const peer = Peers.make(name, size)
    const fail = (reason: string) => new TrialError({ message: `${peer.name}, ${members} members: ${reason}` })
    const server = yield* peer.start(members)
    if (before !== undefined) yield* before(server)
    const generator = yield* Child.startOn<Request, Report>(Process.loadCore, program, "load")
    yield* generator.send({ _tag: "Join", target: { peer: name, size, members, speakers, ...server } })
    const joined = yield* generator.report
    if (joined._tag !== "Joined") return yield* fail(joined._tag === "Failed" ? joined.reason : "it has not joined")
    const run = Effect.fnUntraced(function* (load: Load) {
      yield* generator.send({ _tag: "Run", load })
      const report = yield* generator.report
      if (report._tag !== "Measured") return yield* fail(report._tag === "Failed" ? report.reason : "it has not talked")
      return report.measured
    })
    return { server, joinSeconds: joined.seconds, run }
  })
