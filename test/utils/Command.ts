/** The built `chat`, and programs of a test's own, run as child processes the way a user runs them. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtemp, rm, symlink } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

const root = fileURLToPath(new URL("../..", import.meta.url))

export const path = fileURLToPath(new URL("../../dist/bin/chat.js", import.meta.url))

/** An empty directory that goes with the Scope. */
export const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "fernet-chat-"))),
  // A program whose terminal has gone still writes while it ends: what comes meanwhile goes too.
  (made) => Effect.promise(() => rm(made, { recursive: true, maxRetries: 20, retryDelay: 50 }))
)

/**
 * A program in TypeScript that imports the sources as `./src/...`, ready to be started with node. It goes with the
 * Scope.
 */
export const program = (source: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.tap(
    Effect.map(directory, (made) => join(made, "program.mjs")),
    (outfile) =>
      Effect.promise(async () => {
        const { build } = await import("esbuild")
        await symlink(join(root, "node_modules"), join(outfile, "../node_modules"), "junction")
        await build({
          stdin: { contents: source, resolveDir: root, loader: "ts" },
          outfile,
          bundle: true,
          platform: "node",
          target: "node20",
          format: "esm",
          // Found by the link: it loads a file of its own.
          external: ["libsql"],
          banner: { js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);' },
          logLevel: "warning"
        })
      })
  )

export interface Options {
  readonly cwd: string
  /** Beside the tests' own environment. State is kept in `cwd`, unless XDG_STATE_HOME is here. */
  readonly env?: Record<string, string>
  /** Everything for standard input, which then ends. Without it, standard input stays open. */
  readonly input?: string
}

/** How long a program may take to show something: what it has shown instead is then told. */
export const patience = "60 seconds"

export interface Running {
  readonly child: ChildProcess
  /** What came so far. */
  readonly stdout: () => string
  readonly stderr: () => string
  /** Waits until standard output or error holds `text`. */
  readonly shows: (text: string | RegExp) => Effect.Effect<void>
  readonly write: (text: string) => void
  readonly kill: (signal: NodeJS.Signals) => void
  /** Waits for its end: what it exits with. */
  readonly exit: Effect.Effect<number | NodeJS.Signals | null>
}

/**
 * What programs find in their environment: nothing of whoever runs the tests, or of what runs them, may decide them; nor
 * may they leave anything in the user's home.
 */
export const environment = (cwd: string): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(CHAT_|npm_|NO_COLOR$|FORCE_COLOR$)/i.test(name))
  ),
  XDG_STATE_HOME: join(cwd, ".state")
})

/** Starts any program; it is killed with the Scope if it still runs. */
export const start = (
  program: string,
  args: ReadonlyArray<string>,
  { cwd, env, input }: Options
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(program, args, {
        cwd,
        env: { ...environment(cwd), ...env },
        stdio: "pipe",
        detached: true
      })
      let stdout = ""
      let stderr = ""
      const watchers = new Set<() => void>()
      const changed = () => {
        for (const watch of watchers) watch()
      }
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        stdout += text
        changed()
      })
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr += text
        changed()
      })
      // A program that does not read its input may end before it has all of it.
      child.stdin.on("error", () => {})
      if (input !== undefined) child.stdin.end(input)
      const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
        child.on("close", (code, signal) => {
          resolve(code ?? signal)
          changed()
        })
      })
      const running: Running = {
        child,
        stdout: () => stdout,
        stderr: () => stderr,
        shows: (text) =>
          Effect.async((resume) => {
            const look = () => {
              const all = `${stdout}\n${stderr}`
              if (typeof text === "string" ? all.includes(text) : text.test(all)) {
                watchers.delete(look)
                resume(Effect.void)
              } else if (child.exitCode !== null && child.stdout.destroyed) {
                watchers.delete(look)
                resume(Effect.dieMessage(`it ended without showing ${String(text)}:\n${all}`))
              }
            }
            watchers.add(look)
            look()
            return Effect.sync(() => watchers.delete(look))
          }).pipe(
            Effect.timeoutFail({ duration: patience, onTimeout: () => "late" }),
            Effect.catchAll(() => Effect.dieMessage(`it has not shown ${String(text)}:\n${stdout}\n${stderr}`))
          ),
        write: (text) => void child.stdin.write(text),
        kill: (signal) => void child.kill(signal),
        exit: Effect.promise(() => ended)
      }
      return running
    }),
    ({ child, exit }) =>
      Effect.suspend(() => {
        // With all that it has started: it leads a group of its own.
        if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
          process.kill(-child.pid, "SIGKILL")
        }
        return exit
      })
  )

/** Starts `chat ARGS`. */
export const chat = (args: ReadonlyArray<string>, options: Options) => start(process.execPath, [path, ...args], options)

export interface Result {
  readonly code: number | NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `chat ARGS` to its end, with nothing on standard input unless given. */
export const run = (args: ReadonlyArray<string>, options: Options): Effect.Effect<Result> =>
  Effect.gen(function* () {
    const running = yield* chat(args, { input: "", ...options })
    const code = yield* running.exit
    return { code, stdout: running.stdout(), stderr: running.stderr() }
  }).pipe(Effect.scoped)

/** A server in `cwd` on a free port, once it listens. */
export const serve = (options: Options, args: ReadonlyArray<string> = []) =>
  Effect.gen(function* () {
    const port = args.includes("--port") ? [] : ["--port", "0"]
    const server = yield* chat(["s", ...port, ...args], options)
    yield* server.shows(/serving on .*:\d+/)
    return { ...server, port: /serving on .*:(\d+)/.exec(server.stdout())?.[1] ?? "" }
  })
