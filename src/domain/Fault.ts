/** A rule of the protocol that the other side broke: its connection ends, nobody else's. */
import * as Schema from "effect/Schema"

/**
 * Which rule: `line` (framing, base64url), `truncated` (the stream has ended within a line), `token` (opens under no key
 * that is due), `json`, `shape` (unknown tag, excess key, wrong form for its key), `frame-number`, `order` (a message that
 * may not come now), `text-number`, `sequence` (a gap or repeat in the log), `epoch`, `robbed` (the other side wrote more
 * than came), `log` (acknowledged or logged things went back).
 */
export class Fault extends Schema.TaggedError<Fault>()("Fault", {
  rule: Schema.Literal(
    "line",
    "truncated",
    "token",
    "json",
    "shape",
    "frame-number",
    "order",
    "text-number",
    "sequence",
    "epoch",
    "robbed",
    "log"
  ),
  detail: Schema.String
}) {
  override get message(): string {
    return `the other side broke the protocol (${this.rule}): ${this.detail}`
  }
}
