/** All servers there are to measure, by the name that tells the generator, another process, what to speak. */
import * as BareNode from "./BareNode.js"
import * as FernetChat from "./FernetChat.js"
import * as InspIrcd from "./InspIrcd.js"
import * as Nats from "./Nats.js"
import * as NgIrcd from "./NgIrcd.js"
import * as Original from "./Original.js"
import type { Peer } from "./Peer.js"
import * as Redis from "./Redis.js"

export const peers = {
  memory: FernetChat.inMemory,
  durable: FernetChat.durable,
  observed: FernetChat.observed,
  bare: BareNode.plain,
  tls: BareNode.secure,
  redis: Redis.peer,
  nats: Nats.peer,
  ngircd: NgIrcd.peer,
  inspircd: InspIrcd.peer,
  original: Original.peer
} satisfies Record<string, Peer>

export type Name = keyof typeof peers
