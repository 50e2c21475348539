/** What goes wrong in a run, and when. */
import type { ClientHost } from "./ClientHost.js"
import type { Dice } from "./Dice.js"
import type { Medium, Trouble } from "./Disk.js"
import type { Network } from "./Network.js"
import type { ServerHost } from "./ServerHost.js"
import type { World } from "./World.js"

/** What faults act on. */
export interface Stage {
  readonly world: World
  readonly network: Network
  readonly server: ServerHost
  readonly clients: ReadonlyArray<ClientHost>
}

/** Roads as they are when nothing is wrong with them. */
export const good = { latency: [1, 20], rate: 1_000, chunk: 16_384, blockedUntil: 0 } as const

/** Disks as they are when nothing is wrong with them. */
export const goodDisk: Pick<Medium, "trouble" | "latency"> = { trouble: "none", latency: [0.1, 2] }

type Fault = (stage: Stage) => void

/** For a while a disk is as `begin` makes it. */
const disk =
  (of: (stage: Stage) => Medium, begin: (medium: Medium, dice: Dice) => void): Fault =>
  (stage) => {
    const { world } = stage
    const medium = of(stage)
    begin(medium, world.dice)
    world.after(world.dice.scale(100, 15_000), () => Object.assign(medium, goodDisk))
  }

const serverDisk = ({ server }: Stage) => server.medium
const clientDisk = ({ clients, world }: Stage) => world.dice.pick(clients).disk.medium

const trouble = (trouble: Trouble) => (medium: Medium) => Object.assign(medium, { trouble })
const slow = (medium: Medium, dice: Dice) => Object.assign(medium, { latency: [1, dice.scale(50, 5_000)] })

/** Kills a process some steps from now, or soon if it has nothing to do. */
const killSoon = ({ world }: Stage, process: ServerHost["process"]) => {
  if (process === undefined) return
  process.killIn(world.dice.scale(1, 300))
  world.after(world.dice.scale(1, 1_000), () => process.kill())
}

const restartServer = ({ server, world }: Stage, process: ServerHost["process"]) =>
  process?.onKill(() => world.after(world.dice.scale(10, 15_000), () => server.start()))

/** The operator puts out one who talks: what it says arrives before and after that. Bans are lifted after a while. */
const putOut =
  (by: (client: ClientHost, stage: Stage) => void): Fault =>
  (stage) => {
    const { clients, server, world } = stage
    const { dice } = world
    const client = dice.pick(clients)
    for (let count = dice.whole(0, 5); count > 0; count--) {
      world.after(dice.scale(1, 200), () => client.say())
    }
    world.after(dice.scale(1, 200), () => by(client, stage))
    world.after(dice.scale(300, 20_000), () => server.pardon())
  }

/** All that may go wrong, by name. */
export const faults: Readonly<Record<string, Fault>> = {
  cut: ({ network, world }) => {
    const connections = Array.from(network.connections)
    if (connections.length > 0) world.dice.pick(connections).cut(world.dice.scale(10, 60_000))
  },
  "cut all": ({ network, world }) => {
    for (const connection of network.connections) connection.cut(world.dice.scale(10, 2_000))
  },
  "gone dead": ({ network, world }) => {
    const connections = Array.from(network.connections)
    if (connections.length > 0) world.dice.pick(connections).vanish()
  },
  "slow road": ({ clients, world }) => {
    const { road } = world.dice.pick(clients)
    const { dice } = world
    Object.assign(road, { rate: dice.scale(2, 50), latency: [1, dice.scale(10, 1_000)], chunk: dice.scale(16, 4_096) })
    world.after(dice.scale(1_000, 30_000), () => Object.assign(road, good))
  },
  "crumbling road": ({ clients, world }) => {
    const { road } = world.dice.pick(clients)
    Object.assign(road, { chunk: world.dice.scale(1, 30) })
    world.after(world.dice.scale(100, 2_000), () => Object.assign(road, good))
  },
  "blocked road": ({ clients, world }) => {
    world.dice.pick(clients).road.blockedUntil = world.now + world.dice.scale(100, 20_000)
  },
  "server killed": (stage) => {
    restartServer(stage, stage.server.process)
    killSoon(stage, stage.server.process)
  },
  "server killed as it commits": (stage) => {
    const { process } = stage.server
    const { medium } = stage.server
    if (process === undefined) return
    restartServer(stage, process)
    medium.onDone = () => {
      medium.onDone = () => {}
      if (process.isAlive) process.killIn(stage.world.dice.scale(1, 50) - 1)
    }
  },
  "server's machine off": (stage) => {
    restartServer(stage, stage.server.process)
    stage.server.switchOff()
  },
  "server stopped": (stage) => {
    restartServer(stage, stage.server.process)
    stage.server.stop()
  },
  "server stands still": ({ server, world }) => server.process?.freeze(world.dice.scale(10, 20_000)),
  "disk full": disk(serverDisk, trouble("full")),
  "disk failing": disk(serverDisk, trouble("failing")),
  "disk slow": disk(serverDisk, slow),
  "new log": (stage) => {
    stage.server.beginNewLog()
    restartServer(stage, stage.server.process)
    if (stage.world.dice.chance(0.5)) stage.server.stop()
    else killSoon(stage, stage.server.process)
  },
  kicked: putOut(({ nick }, { server }) => server.kick(nick)),
  banned: putOut(({ nick }, { server, world: { dice } }) => server.ban(nick, dice.chance(0.5))),
  "client killed": (stage) => killSoon(stage, stage.world.dice.pick(stage.clients).process),
  "client killed as it writes": ({ clients, world }) => {
    const client = world.dice.pick(clients)
    const { medium } = client.disk
    medium.onDone = () => {
      medium.onDone = () => {}
      client.process?.killIn(world.dice.scale(1, 50) - 1)
    }
  },
  "client's machine off": ({ clients, world }) => world.dice.pick(clients).switchOff(),
  "client stopped": ({ clients, world }) => world.dice.pick(clients).stop(),
  "client left": ({ clients, world }) => world.dice.pick(clients).leave(),
  "client stands still": ({ clients, world }) => world.dice.pick(clients).process?.freeze(world.dice.scale(10, 20_000)),
  "client's disk slow": disk(clientDisk, slow),
  "client's disk failing": disk(clientDisk, trouble("failing"))
}

/**
 * What may go wrong in one run: a few kinds, so that they meet each other more often than if all were mixed in every
 * run. Everything begins anew with a new log, so that is seldom.
 */
export const kinds = (dice: Dice): ReadonlyArray<string> => {
  const left = Object.keys(faults).filter((name) => name !== "new log" || dice.chance(0.3))
  return Array.from({ length: dice.whole(2, 6) }, () => left.splice(dice.whole(0, left.length - 1), 1)).flat()
}

/** Ends all that is wrong, once and for all. */
export const heal = ({ clients, network, server, world }: Stage): void => {
  network.isDark = false
  Object.assign(server.medium, goodDisk, { onDone: () => {} })
  for (const { disk, road } of clients) {
    Object.assign(road, good)
    Object.assign(disk.medium, goodDisk, { onDone: () => {} })
  }
  // As soon as there is a server, and one that is not about to end.
  const pardon = () => {
    server.pardon()
    world.after(1_000, pardon)
  }
  pardon()
}
