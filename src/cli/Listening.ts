/** Where to listen, as a user says it. */
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Address from "../domain/Address.js"

const AddressFromSelf = Schema.Struct({ host: Schema.String, port: Schema.Number })

/** `host:port`, or a port alone, which is of this machine only. */
export const Listening = Schema.transformOrFail(Schema.String, AddressFromSelf, {
  strict: true,
  decode: (text, _, ast) =>
    Option.match(Address.parse(text), {
      onNone: () => ParseResult.fail(new ParseResult.Type(ast, text)),
      onSome: ParseResult.succeed
    }),
  encode: (address) => ParseResult.succeed(Address.format(address))
}).annotations({
  message: () => ({ message: "--metrics is HOST:PORT, as in 127.0.0.1:9464, or a port alone", override: true })
})
