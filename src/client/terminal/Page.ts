/** What a user sees of a room above the line that is typed: entries and notes become lines, which wait to be drawn. */
import * as Effect from "effect/Effect"
import * as Nickname from "../../domain/Nickname.js"
import type * as Protocol from "../../domain/Protocol.js"
import type { Shape as Client } from "../Client.js"
import type * as Entry from "../Entry.js"
import * as Display from "./Display.js"
import type { Style } from "./Style.js"
import * as Timeline from "./Timeline.js"
import type { Transcript, TranscriptError } from "./Transcript.js"

/** Lines of what arrives that may wait to be drawn; of more the oldest are left out, as nobody could have read them. */
const maxWaiting = 2000

/** Authors that are remembered, so that one who has left can still be ignored. */
const maxAuthors = 1000

/** What is to be drawn next. */
export interface Fresh {
  /** Each may hold newlines; remote text in them is harmless. */
  readonly lines: ReadonlyArray<string>
  readonly rings: boolean
}

export interface Options {
  readonly client: Client
  readonly style: Style
  /** The time now, in ms. */
  readonly now: number
  readonly transcript: Transcript | undefined
  /** Called when there is something to be drawn. */
  readonly onChange: () => void
}

export class Page {
  settings = Timeline.settings
  private timeline: Timeline.Timeline
  private waiting: Array<string> = []
  private skipped = 0
  private rings = false
  private first: Protocol.Seq | undefined
  /** Who has said something, by folded nick, the newest last. */
  private readonly authors = new Map<string, Protocol.Member>()

  constructor(private readonly options: Options) {
    this.timeline = Timeline.begin(options.now)
  }

  /** The oldest entry that came, or was fetched. */
  get oldest(): Protocol.Seq | undefined {
    return this.first
  }

  private get reader(): Effect.Effect<Timeline.Reader> {
    const { client, style } = this.options
    return Effect.map(client.nick, (nick) => ({ nick, style, settings: this.settings }))
  }

  private print(lines: ReadonlyArray<string>): Effect.Effect<void, TranscriptError> {
    for (const line of lines) this.waiting.push(line)
    this.options.onChange()
    const { transcript } = this.options
    return transcript === undefined || lines.length === 0 ? Effect.void : transcript.append(lines.join("\n"))
  }

  /** Takes in the next entry. */
  readonly take = (entry: Entry.Entry): Effect.Effect<void, TranscriptError> =>
    Effect.flatMap(this.reader, (reader) => {
      const { lines, rings, timeline } = Timeline.add(this.timeline, entry, reader)
      this.timeline = timeline
      this.rings ||= rings
      if (entry._tag === "NewLog") {
        // Its members are numbered afresh: whoever has the number of one who was ignored is another.
        this.first = undefined
        this.authors.clear()
        this.settings = { ...this.settings, ignored: new Map() }
      } else if ("seq" in entry) this.first ??= entry.seq
      if (entry._tag === "Said" || entry._tag === "Unreadable") this.remember(entry)
      const excess = this.waiting.length + lines.length - maxWaiting
      if (excess > 0) this.skipped += this.waiting.splice(0, excess).length
      return this.print(lines)
    })

  private remember({ member, nick }: Protocol.Member): void {
    const name = Nickname.fold(nick)
    this.authors.delete(name)
    this.authors.set(name, { member, nick })
    const [oldest] = this.authors.keys()
    if (this.authors.size > maxAuthors && oldest !== undefined) this.authors.delete(oldest)
  }

  /** Who was last heard under a nick, in any case. */
  author(nick: string): Protocol.Member | undefined {
    return this.authors.get(Nickname.fold(nick))
  }

  /** Shows lines that do not come from the log, below what does. */
  readonly show = (...lines: ReadonlyArray<string>): Effect.Effect<void, TranscriptError> =>
    Effect.flatMap(this.reader, (reader) => {
      const closed = Timeline.close(this.timeline, reader)
      this.timeline = closed.timeline
      return this.print([...closed.lines, ...lines])
    })

  /** Has what changes without a line drawn anew. */
  touch(): void {
    this.options.onChange()
  }

  /** Tells the user something. */
  readonly note = (text: string): Effect.Effect<void, TranscriptError> => this.show(`-- ${Display.indented(text)}`)

  /** Shows older entries, apart from what follows them in time. */
  readonly recall = (entries: ReadonlyArray<Entry.Logged>): Effect.Effect<void, TranscriptError> =>
    Effect.flatMap(this.reader, (reader) => {
      const { dim } = this.options.style
      this.first = entries[0]?.seq ?? this.first
      const lines = Timeline.render(entries, reader)
      return this.show(dim(`-- ${entries.length} earlier --`), ...lines, dim("-- up to here it was earlier --"))
    })

  /** Rows that may still change. */
  get open(): Effect.Effect<ReadonlyArray<string>> {
    return Effect.map(this.reader, (reader) => Timeline.open(this.timeline, reader))
  }

  /** Takes what has come since the last time. */
  drain(): Fresh {
    const { rings, skipped, waiting } = this
    this.waiting = []
    this.skipped = 0
    this.rings = false
    const { style } = this.options
    const gap = skipped === 0 ? [] : [style.warning(`-- ${skipped} lines came too fast to be shown --`)]
    return { lines: [...gap, ...waiting], rings }
  }
}
