/**
 * fernet-chat as a library. A server is `Server.layer` over a Listener, a Log and a Fernet; a member is `Client.layer`
 * over a Dialer and a Fernet. What those are made of is here as well, for who speaks the protocol by other means.
 *
 * @module
 */

export { Lagged } from "./client/Backlog.js"
/** A member of a room, as a Layer over a Dialer and a Fernet. */
export * as Client from "./client/Client.js"
/** What a client shows of the log. */
export * as Entry from "./client/Entry.js"
export { Disconnected, HistoryError, JoinError, RenameError, SayError } from "./client/Failure.js"
/** A KeyValueStore in files, for what a client keeps between runs. */
export * as StateFiles from "./client/StateFiles.js"
/** Entries as lines of JSON, as `chat c --json` prints them. */
export * as EntryJson from "./client/terminal/EntryJson.js"
/** What a server and its operator say to each other over a local socket, and what `chat admin --json` prints. */
export * as Admin from "./domain/Admin.js"
export { Entropy, type Shape as EntropyShape } from "./domain/Entropy.js"
export { EventLoop, type Shape as EventLoopShape } from "./domain/EventLoop.js"
export { Fault } from "./domain/Fault.js"
/** Fernet tokens under one key or several, as a service. */
export * as Fernet from "./domain/Fernet.js"
/** The two lines that open a connection. */
export * as Handshake from "./domain/Handshake.js"
/** Key files: made, read, rotated. */
export * as KeyFile from "./domain/KeyFile.js"
/** Keys, their text form, and those that are derived from them. */
export * as Keys from "./domain/Keys.js"
/** What a member may be called. */
export * as Nickname from "./domain/Nickname.js"
/** What client and server say, as Schemas. */
export * as Protocol from "./domain/Protocol.js"
/** Texts sealed between members, which the server cannot open. */
export * as Seal from "./domain/Seal.js"
/** What a nick looks like to a reader. */
export * as Skeleton from "./domain/Skeleton.js"
export type { SocketPath } from "./domain/SocketPath.js"
/** What client and server speak over: a Listener, a Dialer, and connections of lines. */
export * as Transport from "./domain/Transport.js"
/** A Transport within one process. */
export * as TransportMemory from "./domain/TransportMemory.js"
/** A Transport over TCP. */
export * as TransportTcp from "./domain/TransportTcp.js"
/** Frames: written, numbered, sealed, and read. */
export * as Wire from "./domain/Wire.js"
/** What a server allows to those who connect. */
export * as Limits from "./server/Limits.js"
/** The log of a room as a service, and one in memory. */
export * as Log from "./server/Log.js"
/** The log of a room in an SQLite database, encrypted. */
export * as LogSql from "./server/LogSql.js"
/** What a server counts, as metrics of Effect. */
export * as Metrics from "./server/Metrics.js"
/** The operator's socket of a server. */
export * as Operator from "./server/Operator.js"
/** Metrics of Effect as Prometheus reads them. */
export * as Prometheus from "./server/Prometheus.js"
/** A server, as a Layer over a Listener, a Log and a Fernet. */
export * as Server from "./server/Server.js"
