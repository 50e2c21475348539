/** The nick that was last used on a terminal: what is offered the next time. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as StateFiles from "../client/StateFiles.js"
import * as Nickname from "../domain/Nickname.js"
import * as OwnerOnly from "../domain/OwnerOnly.js"

const file = Effect.gen(function* () {
  const path = yield* Path.Path
  return path.join(yield* StateFiles.stateHome, "fernet-chat", "nick")
})

/** Nothing where none is kept, or what is kept is no nick. */
export const load = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const nick = (yield* fs.readFileString(yield* file)).trim()
  return nick !== "" && Nickname.fits(nick) ? nick : undefined
}).pipe(Effect.orElseSucceed(() => undefined))

/** A convenience: where it cannot be kept, nothing is lost. */
export const save = Effect.fn("LastNick.save")(function* (nick: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const to = yield* file
  yield* fs.makeDirectory(path.dirname(to), { recursive: true, mode: OwnerOnly.directory })
  yield* fs.writeFileString(to, `${nick}\n`, { mode: OwnerOnly.file })
}, Effect.ignore)
