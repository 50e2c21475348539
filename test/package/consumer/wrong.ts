/** The types are there, and no `any`: what is wrong does not compile. */
import { Client } from "fernet-chat"

// @ts-expect-error A nick is a text, and there is no room without a key.
export const wrong = Client.layer({ nick: 1 })
