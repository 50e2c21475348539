/** How the log is written: a line for each event, on standard error, and no secret in any. */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import * as Display from "../client/terminal/Display.js"
import * as Secrets from "./Secrets.js"

/** For people, or for what reads logs: JSON, or `key=value`. */
export const LogFormat = Schema.Literal("pretty", "json", "logfmt").annotations({
  message: () => ({ message: "--log-format is pretty, json or logfmt", override: true })
})
export type LogFormat = typeof LogFormat.Type

const levels = new Map(LogLevel.allLevels.map((level) => [level._tag.toLowerCase(), level]))

/** What `--log-level` may name. */
export const levelNames = Array.from(levels.keys())

/** The level that `--log-level` names, else `$CHAT_LOG_LEVEL`; else info. */
export const level = (flag: string | undefined): Config.Config<LogLevel.LogLevel> =>
  (flag === undefined ? Config.nonEmptyString("CHAT_LOG_LEVEL") : Config.succeed(flag)).pipe(
    Config.mapOrFail((name) =>
      Either.fromNullable(levels.get(name), () =>
        ConfigError.InvalidData([], `--log-level or $CHAT_LOG_LEVEL is one of ${levelNames.join(", ")}`)
      )
    ),
    Config.withDefault(LogLevel.Info)
  )

/** What is logged, without secrets, in the order in which it is written. */
interface Event {
  /** ISO 8601, in UTC. */
  readonly time: string
  readonly level: LogLevel.LogLevel
  readonly message: string
  /** Annotations, by their names. */
  readonly fields: ReadonlyArray<readonly [name: string, value: string | number | boolean]>
  /** Why, where it is a defect: with its stack. */
  readonly cause: string | undefined
}

const fieldOf = (value: unknown): string | number | boolean =>
  typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))
    ? value
    : Secrets.hide(String(value))

const eventOf = ({ annotations, cause, date, logLevel, message }: Logger.Logger.Options<unknown>): Event => ({
  time: date.toISOString(),
  level: logLevel,
  message: Secrets.hide(Array.isArray(message) ? message.map(String).join(" ") : String(message)),
  fields: [...annotations]
    .map(([name, value]) => [name, fieldOf(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
  cause: Cause.isEmpty(cause) ? undefined : Secrets.hide(Cause.pretty(cause, { renderErrorCause: true }))
})

/** C0 controls are escaped in JSON already, the others that a terminal would obey are not. */
const json = (value: unknown): string =>
  JSON.stringify(value).replace(
    Display.harmful,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

/** An event as one object. No annotation takes the place of what every event has. */
const flat = ({ cause, fields, level, message, time }: Event): Record<string, string | number | boolean> => {
  const own = { time, level: level._tag.toLowerCase(), message }
  return { ...own, ...Object.fromEntries(fields), ...own, ...(cause !== undefined && { cause }) }
}

const formats: Readonly<Record<LogFormat, (event: Event) => string>> = {
  pretty: ({ cause, fields, level, message, time }) => {
    const context = fields.map(([name, value]) => ` ${name}=${value}`).join("")
    const line = `${time} ${level._tag === "Info" ? "" : `${level.label} `}${message}${context}`
    return cause === undefined ? Display.oneLine(line) : `${Display.oneLine(line)}\n    ${Display.indented(cause)}`
  },
  json: (event) => json(flat(event)),
  logfmt: (event) =>
    Object.entries(flat(event))
      .map(([name, value]) => {
        const text = String(value)
        return `${name.replace(/[^\w.-]/g, "_")}=${/^[^\s"=\\\p{C}]+$/u.test(text) ? text : json(text)}`
      })
      .join(" ")
}

/** What is written for an event, without the newline. Only `pretty` writes more than a line: the stack of a defect. */
export const render = (format: LogFormat, options: Logger.Logger.Options<unknown>): string =>
  formats[format](eventOf(options))

const logger = (format: LogFormat) =>
  Logger.make((options) => void process.stderr.write(`${render(format, options)}\n`))

const loggers: Readonly<Record<LogFormat, Logger.Logger<unknown, void>>> = {
  pretty: logger("pretty"),
  json: logger("json"),
  logfmt: logger("logfmt")
}

/** Writes the log for people: what holds where nothing else is said. */
export const layer: Layer.Layer<never> = Logger.replace(Logger.defaultLogger, loggers.pretty)

/** Writes it in another way than {@link layer} does. */
export const layerFormat = (format: LogFormat): Layer.Layer<never> =>
  format === "pretty" ? Layer.empty : Logger.replace(loggers.pretty, loggers[format])
