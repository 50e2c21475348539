/** ngIRCd: a small IRC server in C. */
import * as Effect from "effect/Effect"
import { host } from "../utils/Setting.js"
import * as Installed from "./Installed.js"
import * as Irc from "./Irc.js"
import type { Peer } from "./Peer.js"

const command = "ngircd"

/** 0 is no limit, and no penalty. */
const configuration = (port: number) => `
[Global]
Name = irc.example.net
Info = Benchmark
AdminInfo1 = Benchmark
AdminEMail = nobody@example.net
Listen = ${host}
Ports = ${port}
MotdPhrase = Welcome
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxPenaltyTime = 0
PingTimeout = 86400
PongTimeout = 86400
[Options]
DNS = no
Ident = no
PAM = no
`

/** It has 10 connections waiting to be accepted, and loses those beyond. */
const joining = Effect.unsafeMakeSemaphore(8)

export const peer: Peer = {
  name: "ngIRCd",
  version: Installed.version(command, "--version"),
  install: "apt-get install ngircd",
  start: () => Installed.start({ command, args: (file) => ["--nodaemon", "--config", file], configuration }),
  dialect: { ...Irc.dialect, join: (port, index) => joining.withPermits(1)(Irc.dialect.join(port, index)) }
}
