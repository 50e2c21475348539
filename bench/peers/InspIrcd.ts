/** InspIRCd: a modular IRC server in C++. */
import { host } from "../utils/Setting.js"
import * as Installed from "./Installed.js"
import * as Irc from "./Irc.js"
import type { Peer } from "./Peer.js"

const command = "inspircd"

/** None of its limits is to be met. */
const configuration = (members: number) => (port: number) =>
  `
<server name="irc.example.net" description="Benchmark" network="Benchmark">
<admin name="Benchmark" nick="benchmark" email="nobody@example.net">
<bind address="${host}" port="${port}" type="clients">
<connect allow="*" resolvehostnames="no" fakelag="no" useident="no" timeout="60" pingfreq="86400"
  threshold="1000000" commandrate="1000000000" recvq="16M" softsendq="16M" hardsendq="64M"
  localmax="${members + 100}" globalmax="${members + 100}" limit="${members + 100}" maxconnwarn="no">
<performance softlimit="${members + 100}" somaxconn="1024" netbuffersize="65536">
<options defaultmodes="nt">
`

const args = (file: string) => ["--nofork", "--nolog", "--nopid", "--runasroot", "--config", file]

export const peer: Peer = {
  name: "InspIRCd",
  version: Installed.version(command, "--version"),
  install: "apt-get install inspircd",
  start: (members) => Installed.start({ command, args, configuration: configuration(members) }),
  dialect: Irc.dialect
}
