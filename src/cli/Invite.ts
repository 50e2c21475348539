/** `chat invite`: one line that lets somebody in, and on a terminal a QR code of it. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as QrCode from "../client/terminal/QrCode.js"
import * as Address from "../domain/Address.js"
import * as Fingerprint from "../domain/Fingerprint.js"
import * as Invite from "../domain/Invite.js"
import * as Keys from "../domain/Keys.js"
import * as Addresses from "./Addresses.js"
import { UsageError } from "./Failure.js"
import * as KeySource from "./KeySource.js"
import { report, terminal } from "./Process.js"
import { readStdin } from "./Stdin.js"

export interface InviteOptions {
  readonly host: Option.Option<string>
  readonly port: Option.Option<number>
  readonly keyFile: Option.Option<string>
}

export const invite = Effect.fn("invite")(function* ({ host, keyFile, port }: InviteOptions) {
  const keys = yield* Keys.roomKeys(yield* KeySource.load(yield* KeySource.find(keyFile), readStdin))
  const address = Address.orDefault({ host, port })
  if (Address.isEverywhere(address.host)) {
    return yield* new UsageError({ message: `${address.host} is every address of a server: name one with --host` })
  }
  const line = Invite.format({ address, key: keys[0] })
  // What cannot be read back is no invite.
  if (Either.isLeft(Invite.parse(line))) {
    return yield* new UsageError({
      message: `nobody can join at ${Address.format(address)}: give a name or an address, and a port from 1 to 65535`
    })
  }
  yield* Console.log(line)
  if (terminal !== undefined) {
    const { output } = terminal
    const rows = QrCode.rows(line, output.columns, output.getColorDepth())
    yield* Console.log(rows.length > 0 ? rows.join("\n") : "(too narrow for a QR code)")
    yield* Console.log(`whoever has it is in and reads all: pass it on by a way nobody else can read
who gets it runs chat c, and pastes it when asked
the key's words, to compare by voice: ${Fingerprint.format(Keys.serverKey(keys[0]))}`)
  }
  if (Option.isSome(host)) return
  const others = yield* Addresses.reachable
  const hint =
    others.length === 0 ? "with --host ADDRESS it is one for others" : `for others give --host: ${others.join(", ")}`
  yield* report(`this invite is for this machine only; ${hint}`)
})
