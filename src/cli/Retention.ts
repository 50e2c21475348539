/** How long a log is kept, as a user says it. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Limits from "../server/Limits.js"

export const standard = Duration.days(30)

/** A time such as `30 days`, or `forever`. */
export const Retention = Schema.transformOrFail(Schema.String, Schema.DurationFromSelf, {
  strict: true,
  decode: (text, _, ast) =>
    Option.match(Limits.time(text), {
      onNone: () => ParseResult.fail(new ParseResult.Type(ast, text)),
      onSome: ParseResult.succeed
    }),
  encode: (duration) =>
    ParseResult.succeed(Duration.isFinite(duration) ? `${Duration.toMillis(duration)} millis` : "forever")
}).annotations({
  message: () => ({
    message: "a time is a number and a unit, as in '12 hours' or '30 days', or forever",
    override: true
  })
})
