/**
 * What it costs that somebody comes, and whether anybody waits for many who come at once.
 *
 *     npm run bundle && node scripts/run.mjs bench/joins.ts [costs | crowds]
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fernet from "../src/domain/Fernet.js"
import * as Joins from "./parts/Joins.js"

const parts = {
  costs: Joins.costs,
  crowds: Joins.crowds,
  all: Effect.zipRight(Joins.costs, Joins.crowds),
  ...Joins.roles
}

const [, , part = "all"] = process.argv
const isPart = (name: string): name is keyof typeof parts => Object.hasOwn(parts, name)
const program: Effect.Effect<void, unknown, Scope.Scope | Fernet.Fernet> = isPart(part)
  ? parts[part]
  : Effect.dieMessage(`there is no ${part}: it is costs or crowds`)
await Effect.runPromise(program.pipe(Effect.scoped, Effect.timeout("5 minutes"), Effect.provide(Fernet.layer)))
