/** What the processes of one benchmark have in common. */
import * as Schema from "effect/Schema"
import * as Keys from "../../src/domain/Keys.js"
import * as Seal from "../../src/domain/Seal.js"

/** The room's key: there is nothing to guard. */
export const keys: Keys.Ring<Keys.RoomKey> = [Keys.fromBytes<"room">(new Uint8Array(Keys.length).fill(1))]
export const serverKeys: Keys.Ring<Keys.ServerKey> = [Keys.serverKey(keys[0])]

/** 100 characters, about as long as what people say. */
export const text = Schema.decodeSync(Seal.Text)("A text as people say it. ".repeat(4))

/** Where everything listens. */
export const host = "127.0.0.1"
