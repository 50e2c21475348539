/** The member that a command joins as, on what it keeps in files. */
import type { KeyValueStore } from "@effect/platform/KeyValueStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Client from "../client/Client.js"
import * as StateFiles from "../client/StateFiles.js"
import * as Fernet from "../domain/Fernet.js"
import * as TransportTcp from "../domain/TransportTcp.js"
import { UsageError } from "./Failure.js"
import type { Room } from "./RoomSource.js"

export interface MemberOptions {
  readonly nick: Option.Option<string>
  /** Under which name state is kept; else the nick. */
  readonly profile: Option.Option<string>
}

export const missingNick = new UsageError({ message: "a nick is missing: give --nick NAME, or set CHAT_NICK" })

/** Where a member who is called `nick` keeps its state. */
export const directory = ({ address, keys }: Room, nick: string, { profile }: MemberOptions) =>
  Effect.flatMap(StateFiles.stateHome, (stateHome) =>
    StateFiles.directoryOf({
      stateHome,
      address: TransportTcp.format(address),
      keys,
      profile: Option.getOrElse(profile, () => nick)
    })
  )

/** The client of that member. */
export const layer = <E, R>({ address, keys }: Room, nick: string, store: Layer.Layer<KeyValueStore, E, R>) =>
  Client.layerKept({ keys, nick }).pipe(Layer.provide([TransportTcp.layerDialer(address), Fernet.layer, store]))
