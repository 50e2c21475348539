/** A real terminal for tests: programs run in tmux, where keys are typed and the screen is read. */
import { execFile, spawnSync } from "node:child_process"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Command from "./Command.js"

/** Where it is not, tests in a terminal are left out. */
export const isInstalled = spawnSync("tmux", ["-V"]).status === 0
if (!isInstalled) console.warn("no tests in a real terminal: the command `tmux` is not installed")

export interface Options {
  readonly cwd: string
  readonly columns?: number
  readonly rows?: number
  readonly env?: Record<string, string>
}

export interface Pane {
  /** Types `text` as it is. */
  readonly type: (text: string) => Effect.Effect<void>
  /** Presses keys by tmux's names: Enter, C-c, M-Enter, Up … */
  readonly press: (...keys: ReadonlyArray<string>) => Effect.Effect<void>
  /** Pastes `text` in brackets, as a terminal does. */
  readonly paste: (text: string) => Effect.Effect<void>
  /** The rows on the screen, without the empty ones at its end. */
  readonly screen: Effect.Effect<ReadonlyArray<string>>
  /** All there is: what has scrolled away, then the screen; rows that the terminal has wrapped are joined. */
  readonly all: Effect.Effect<ReadonlyArray<string>>
  /** Waits until the screen shows `text`. */
  readonly shows: (text: string | RegExp) => Effect.Effect<void>
  /** Any of tmux's formats of the pane, such as `#{cursor_flag}`. */
  readonly format: (format: string) => Effect.Effect<string>
  readonly resize: (columns: number, rows: number) => Effect.Effect<void>
}

/** How often (ms) the screen is looked at. */
const interval = 20

const rowsOf = (text: string): ReadonlyArray<string> => text.trimEnd().split("\n")

/** Runs `command`, a line for the shell, in a terminal of its own until the Scope closes. */
export const open = (
  command: string,
  { columns = 80, cwd, env, rows = 24 }: Options
): Effect.Effect<Pane, never, Scope.Scope> =>
  Effect.gen(function* () {
    const directory = yield* Command.directory
    const socket = join(directory, "tmux")
    const tmux = (...args: ReadonlyArray<string>) =>
      Effect.promise(
        () =>
          new Promise<string>((resolve, reject) => {
            const variables = { ...Command.environment(cwd), TERM: "xterm-256color", ...env }
            execFile("tmux", ["-S", socket, "-f", "/dev/null", ...args], { cwd, env: variables }, (error, stdout) =>
              error === null ? resolve(stdout) : reject(error)
            )
          })
      )
    const size = ["-x", String(columns), "-y", String(rows)]
    yield* Effect.acquireRelease(
      // Where the program ends, the screen stays to be read.
      tmux("new-session", "-d", ...size, "-s", "test", "sh", ";", "set-option", "-g", "remain-on-exit", "on"),
      () => Effect.ignore(tmux("kill-server"))
    )
    yield* tmux("set-option", "-g", "history-limit", "100000")
    yield* tmux("respawn-pane", "-k", "-t", "test:", command)
    const screen = Effect.map(tmux("capture-pane", "-p", "-t", "test:"), rowsOf)
    const pane: Pane = {
      type: (text) => Effect.asVoid(tmux("send-keys", "-t", "test:", "-l", "--", text)),
      press: (...keys) => Effect.asVoid(tmux("send-keys", "-t", "test:", ...keys)),
      paste: (text) =>
        Effect.zipRight(tmux("set-buffer", "--", text), Effect.asVoid(tmux("paste-buffer", "-p", "-r", "-t", "test:"))),
      screen,
      all: Effect.map(tmux("capture-pane", "-p", "-J", "-S", "-", "-t", "test:"), rowsOf),
      shows: (text) =>
        Effect.gen(function* () {
          while (true) {
            const shown = (yield* screen).join("\n")
            if (typeof text === "string" ? shown.includes(text) : text.test(shown)) return
            yield* Effect.sleep(interval)
          }
        }).pipe(
          Effect.timeoutFail({ duration: Command.patience, onTimeout: () => "late" }),
          Effect.catchAll(() =>
            Effect.flatMap(screen, (shown) => Effect.dieMessage(`no ${String(text)} here:\n${shown.join("\n")}`))
          )
        ),
      format: (format) => Effect.map(tmux("display-message", "-p", "-t", "test:", format), (text) => text.trimEnd()),
      resize: (width, height) =>
        Effect.asVoid(tmux("resize-window", "-t", "test:", "-x", String(width), "-y", String(height)))
    }
    return pane
  })
