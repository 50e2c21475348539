/**
 * fernet-chat as a library. A server is `Server.layer` over a Listener, a Log and a Fernet; a member is `Client.layer`
 * over a Dialer and a Fernet. What those are made of is here as well, for who speaks the protocol by other means.
 */

export { Lagged } from "./client/Backlog.js"
export * as Client from "./client/Client.js"
export * as Entry from "./client/Entry.js"
export { Disconnected, HistoryError, JoinError, RenameError, SayError } from "./client/Failure.js"
export * as StateFiles from "./client/StateFiles.js"
export * as EntryJson from "./client/terminal/EntryJson.js"
export { Entropy } from "./domain/Entropy.js"
export { EventLoop } from "./domain/EventLoop.js"
export { Fault } from "./domain/Fault.js"
export * as Fernet from "./domain/Fernet.js"
export * as Handshake from "./domain/Handshake.js"
export * as KeyFile from "./domain/KeyFile.js"
export * as Keys from "./domain/Keys.js"
export * as Protocol from "./domain/Protocol.js"
export * as Seal from "./domain/Seal.js"
export * as Transport from "./domain/Transport.js"
export * as TransportMemory from "./domain/TransportMemory.js"
export * as TransportTcp from "./domain/TransportTcp.js"
export * as Wire from "./domain/Wire.js"
export * as Limits from "./server/Limits.js"
export * as Log from "./server/Log.js"
export * as LogSql from "./server/LogSql.js"
export * as Server from "./server/Server.js"
