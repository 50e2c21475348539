/** All servers there are to measure, each with the texts that are said to it. */
import { usualSize } from "../load/Texts.js"
import * as BareNode from "./BareNode.js"
import * as FernetChat from "./FernetChat.js"
import type { Peer } from "./Peer.js"

/** By the name that tells the generator, which is another process, what to speak: texts are `size` bytes. */
const known = {
  memory: () => FernetChat.inMemory,
  durable: () => FernetChat.durable,
  bare: (size: number) => BareNode.make(size),
  tls: (size: number) => BareNode.makeTls(size)
} satisfies Record<string, (size: number) => Peer>

export type Name = keyof typeof known

export const make = (name: Name, size = usualSize): Peer => known[name](size)
