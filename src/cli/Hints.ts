/** What whoever serves can tell others: where to join, and with which key. */
import * as Option from "effect/Option"
import * as Address from "../domain/Address.js"
import * as Fingerprint from "../domain/Fingerprint.js"
import * as KeyFile from "../domain/KeyFile.js"
import * as Keys from "../domain/Keys.js"
import type { KeySource } from "./KeySource.js"

export interface Serving {
  /** Where it listens. */
  readonly address: Address.Address
  readonly source: KeySource
  readonly keys: Keys.KeySet
  /** Where the log is kept. */
  readonly log: string
  /** Where metrics are asked for. */
  readonly metrics: Option.Option<Address.Address>
  /** How this command is called here. */
  readonly program: string
}

/** The lines that `chat s` prints once it listens. */
export const format = ({ address, keys, log, metrics, program, source }: Serving): string => {
  const { host, port } = address
  const everywhere = Address.isEverywhere(host)
  const near = everywhere || host === Address.defaultAddress.host ? "" : ` --host ${host}`
  const where = port === Address.defaultAddress.port ? "" : ` --port ${port}`
  const key =
    keys._tag === "ServerKeys"
      ? " --key-file ROOM.key"
      : source._tag === "File" && source.path !== KeyFile.defaultPath
        ? ` --key-file ${source.path}`
        : ""
  const at = ` --host ${everywhere ? "ADDRESS" : host}`
  const others = Address.isLocal(host)
    ? "serve with --host 0.0.0.0"
    : `${program} invite${at}${where}${key}
                   prints a line for them; pass it on by a way nobody else can read`
  const watched = Option.match(metrics, {
    onNone: () => "",
    onSome: (at) => `\n  metrics:         http://${Address.format(at)}/metrics`
  })
  return `serving on ${Address.format(address)} (Ctrl-C ends it)
  join from here:  ${program} c${near}${where}${key} --nick NAME
  let others in:   ${others}
  the log is kept: ${log}
  the key's words: ${Fingerprint.format(Keys.serverKeys(keys)[0])}${watched}`
}
