/** Does what a typed line asks for. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Nickname from "../../domain/Nickname.js"
import * as Protocol from "../../domain/Protocol.js"
import type { Shape as Client } from "../Client.js"
import * as Display from "./Display.js"
import * as Input from "./Input.js"
import type { Page } from "./Page.js"
import type { Style } from "./Style.js"
import type { TranscriptError } from "./Transcript.js"

export interface Options {
  readonly client: Client
  readonly page: Page
  readonly style: Style
  readonly clear: Effect.Effect<void>
  readonly quit: Effect.Effect<void>
}

/** Before this there is everything. */
const beyond = Protocol.Seq.make(Number.MAX_SAFE_INTEGER)

/** What obeys an input; what comes of it is on the page. */
export const make = ({ clear, client, page, quit, style }: Options) => {
  const ignore = Effect.fnUntraced(function* (nick: string) {
    const members = yield* client.members
    const found = members.find((member) => Nickname.fold(member.nick) === Nickname.fold(nick)) ?? page.author(nick)
    if (found === undefined) return yield* page.note(`nobody here is called ${nick}: /names shows who is here`)
    if (found.member === (yield* client.member)) return yield* page.note("you cannot ignore yourself")
    page.settings = { ...page.settings, ignored: new Map(page.settings.ignored).set(found.member, found.nick) }
    return yield* page.note(`what ${found.nick} says is hidden, until /unignore ${found.nick}`)
  })

  const unignore = (nick: string) => {
    const { ignored } = page.settings
    const rest = Array.from(ignored).filter(([, name]) => Nickname.fold(name) !== Nickname.fold(nick))
    if (rest.length === ignored.size) return page.note(`you do not ignore ${nick}`)
    page.settings = { ...page.settings, ignored: new Map(rest) }
    return page.note(`what ${nick} says is shown again`)
  }

  const names = Effect.flatMap(client.members, (members) => {
    const nicks = members.map(({ nick }) => style.nick(nick)(Display.harmless(nick)))
    return page.show(`-- ${members.length} here: ${nicks.join(", ")}`)
  })

  /** What needs an answer of the server says so while there is no connection. */
  const waiting = Effect.flatMap(client.status.get, ({ _tag }) =>
    _tag === "Online" ? Effect.void : page.note("there is no connection: it waits until there is one")
  )

  const say = Effect.fnUntraced(function* (text: string, me: boolean) {
    const saying = yield* Effect.fork(client.say(text, { me }))
    // By then it waits to be sent, and shows.
    yield* Effect.yieldNow()
    page.touch()
    // When it is in the log it shows as such; what is not is told here, and by the end what that has cut off.
    yield* Effect.catchAll(Fiber.join(saying), ({ message, reason }) =>
      reason === "closed" ? Effect.void : page.note(`not said: ${message}`)
    )
  })

  const oneHistory = Effect.unsafeMakeSemaphore(1)
  const history = Effect.fnUntraced(function* (limit: number) {
    const { events } = yield* client.history({ before: page.oldest ?? beyond, limit })
    return yield* events.length === 0 ? page.note("the server has nothing older") : page.recall(events)
  })

  return (input: Input.Input): Effect.Effect<void, TranscriptError> => {
    switch (input._tag) {
      case "Say":
        return say(input.text, input.me)
      case "Nick":
        return waiting.pipe(
          Effect.zipRight(client.rename(input.nick)),
          Effect.catchTag("RenameError", ({ message }) => page.note(message)),
          Effect.asVoid
        )
      case "Names":
        return names
      case "Ignore": {
        if (input.nick !== undefined) return ignore(input.nick)
        const nicks = Array.from(page.settings.ignored.values())
        return page.note(nicks.length === 0 ? "you ignore nobody" : `you ignore ${nicks.join(", ")}`)
      }
      case "Unignore":
        return unignore(input.nick)
      case "Quiet":
        page.settings = { ...page.settings, isQuiet: !page.settings.isQuiet }
        return page.note(`who joins and leaves is ${page.settings.isQuiet ? "hidden" : "shown"}`)
      case "Timestamp":
        page.settings = { ...page.settings, timestamp: input.timestamp }
        return page.note(`before each message: ${input.timestamp}`)
      case "Bell":
        page.settings = { ...page.settings, bell: input.bell }
        return page.note(`the bell rings for: ${input.bell}`)
      case "History":
        return waiting.pipe(
          // One at a time: the next begins where the last has ended.
          Effect.zipRight(oneHistory.withPermits(1)(history(input.limit))),
          Effect.catchTag("HistoryError", ({ message }) => page.note(message))
        )
      case "Help":
        return input.command === undefined ? page.show(...Input.help) : page.note(Input.helpOf(input.command))
      case "Clear":
        return clear
      case "Wrong":
        return page.note(input.message)
      case "Quit":
        return quit
      case "Nothing":
        return Effect.void
    }
  }
}
