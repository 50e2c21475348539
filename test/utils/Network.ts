/** A network in memory on which servers come and go, and connections are lost, as a test wants it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Fernet from "../../src/domain/Fernet.js"
import * as Transport from "../../src/domain/Transport.js"
import * as TransportMemory from "../../src/domain/TransportMemory.js"
import * as Log from "../../src/server/Log.js"
import * as Server from "../../src/server/Server.js"
import * as Room from "./Room.js"

const refused = () => new Transport.TransportError({ reason: "refused", message: "nobody answers" })

export class Network extends Context.Tag("test/Network")<
  Network,
  {
    /** Starts a server on this log, in place of the one there was; closing its scope shuts it down. */
    readonly serve: (
      log: Log.Log["Type"],
      options?: Partial<Server.Options>
    ) => Effect.Effect<Scope.CloseableScope, Log.LogError>
    /** The newest server. */
    readonly server: Effect.Effect<Server.Shape>
    /** Ends all connections without a word, at both ends. */
    readonly cut: Effect.Effect<void>
    /** Whether dialling leads to the server. */
    readonly setReachable: (reachable: boolean) => Effect.Effect<void>
  }
>() {}

/** The network, and the way of clients to whatever server there is. */
export const layer: Layer.Layer<Network | Transport.Dialer> = Layer.scopedContext(
  Effect.gen(function* () {
    let memory: Context.Context<Transport.Listener | Transport.Dialer> | undefined
    let newest: Server.Shape | undefined
    let reachable = true
    const connections = new Set<Scope.CloseableScope>()
    const outer = yield* Effect.scope
    return Context.make(Transport.Dialer, {
      address: "memory",
      dial: Effect.gen(function* () {
        if (memory === undefined || !reachable) return yield* refused()
        const scope = yield* Scope.make()
        connections.add(scope)
        yield* Effect.addFinalizer(() => {
          connections.delete(scope)
          return Scope.close(scope, Exit.void)
        })
        return yield* Scope.extend(Context.get(memory, Transport.Dialer).dial, scope)
      })
    }).pipe(
      Context.add(Network, {
        serve: (log, options) =>
          Effect.gen(function* () {
            const scope = yield* Scope.fork(outer, ExecutionStrategy.sequential)
            memory = yield* Layer.buildWithScope(TransportMemory.layer, outer)
            const server = Server.layer({ keys: Room.serverKeys, ...Room.unlimited, ...options }).pipe(
              Layer.provide([Layer.succeedContext(memory), Fernet.layer])
            )
            const built = yield* Layer.buildWithScope(server, scope).pipe(Effect.provide(Context.make(Log.Log, log)))
            newest = Context.get(built, Server.Server)
            return scope
          }),
        server: Effect.suspend(() =>
          newest === undefined ? Effect.dieMessage("there is none") : Effect.succeed(newest)
        ),
        cut: Effect.suspend(() =>
          Effect.forEach(Array.from(connections), (scope) => Scope.close(scope, Exit.void), { discard: true })
        ),
        setReachable: (now) =>
          Effect.sync(() => {
            reachable = now
          })
      })
    )
  })
)
