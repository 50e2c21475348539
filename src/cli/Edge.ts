/**
 * Where the command meets its process: what is printed and reported, what it exits with, and what becomes of a signal or
 * of standard output that breaks.
 */
import { stripVTControlCharacters } from "node:util"
import type { CliApp } from "@effect/cli/CliApp"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import { Incomplete, ofConfig, UsageError } from "./Failure.js"
import * as LogLine from "./LogLine.js"
import { interruption, report } from "./Process.js"

const { stdout } = process

/**
 * Errors of usage come as a document with colours: one line of it is enough. An option whose value is missing is called
 * unknown there, as one that there is none of.
 */
const usage = (error: ValidationError.ValidationError): string =>
  stripVTControlCharacters(HelpDoc.toAnsiText(error.error))
    .replace(/\s+/g, " ")
    .trim()
    .replace(/^Received unknown argument: '(-[^']*)'$/, "$1: no such option, or its value is missing")

const reportCause = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.isInterruptedOnly(cause)) return Effect.void
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  if (failure instanceof Incomplete) return Effect.void
  if (ValidationError.isValidationError(failure)) return report(`${usage(failure)} (chat --help shows how)`)
  return report(failure instanceof Error ? failure.message : Cause.pretty(cause))
}

const exitCode = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.isInterruptedOnly(exit.cause)) return interruption.exitCode
  const failure = Option.getOrUndefined(Cause.failureOption(exit.cause))
  return ValidationError.isValidationError(failure) || failure instanceof UsageError ? 2 : 1
}

/** Colours go to terminals only; errors of usage are reported once, at the end. `edit` is what becomes of what is printed. */
const edgeConsole = (console: Console.Console, edit: (printed: string) => string): Console.Console => ({
  ...console,
  log: (...lines) =>
    Effect.sync(() => {
      const text = edit(`${lines.join(" ")}\n`)
      stdout.write(stdout.isTTY ? text : stripVTControlCharacters(text))
    }),
  error: () => Effect.void
})

let isBroken = false
/** What the command exits with, once it is done and only what it has printed has yet to be taken. */
let done: number | undefined
const onBroken = (error: NodeJS.ErrnoException) => {
  if (isBroken) return
  // Whatever it is, leave in good order, once. Where nobody reads any more there is nothing to say.
  isBroken = true
  if (error.code !== "EPIPE") Effect.runSync(report(`cannot write to standard output: ${error.message}`))
  interruption.exitCode = error.code === "EPIPE" ? 0 : 1
  // A command that is done takes no signal any more: one would end it as if it had been killed.
  if (done !== undefined) process.exit(done === 0 ? interruption.exitCode : done)
  process.kill(process.pid, "SIGTERM")
}

/** How long (ms) what is written may take to be read, where the end is not to wait for it. */
const flushTime = 1_000

/** Ends when standard output has been taken: what waits in front of a pipe would be lost. */
const flush = (isWanted: boolean, then: () => void): void => {
  if (stdout.writableLength === 0 || stdout.destroyed) then()
  else stdout.write("", then)
  // No fiber runs any more that could sleep: this is the end of the process.
  if (!isWanted) setTimeout(then, flushTime)
}

/** What every command may need of its process. */
const services = [NodeFileSystem.layer, NodePath.layer, NodeTerminal.layer, LogLine.layer] as const

/** Logs from a level on: the one that the flag names, else the environment. */
const atLevel = <A, E, R>(main: Effect.Effect<A, E, R>, flag: string | undefined) =>
  LogLine.level(flag).pipe(
    Effect.mapError(ofConfig),
    Effect.flatMap((level) => Logger.withMinimumLogLevel(main, level))
  )

/**
 * Runs a command, and ends the process as it ends; `logLevel` is what the flag of that name says, and `edit` is what becomes
 * of what it prints.
 */
export const run = (
  main: Effect.Effect<void, unknown, CliApp.Environment>,
  logLevel: string | undefined,
  edit: (printed: string) => string
): void => {
  stdout.on("error", onBroken)
  // The terminal is gone: time to leave, as when asked to.
  process.on("SIGHUP", () => process.kill(process.pid, "SIGTERM"))
  // Diagnostics that nobody reads any more are no reason to end.
  process.stderr.on("error", () => {})
  Console.consoleWith((console) => Effect.withConsole(atLevel(main, logLevel), edgeConsole(console, edit))).pipe(
    Effect.tapErrorCause(reportCause),
    Effect.provide(services),
    NodeRuntime.runMain({
      disableErrorReporting: true,
      disablePrettyLogger: true,
      teardown: (exit, onExit) => {
        const isInterrupted = Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
        const code = exitCode(exit)
        done = code
        flush(!isInterrupted, () => onExit(code))
      }
    })
  )
}
