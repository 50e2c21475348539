/** Where a chat is, on TCP. */

/** Where to listen or whom to call. */
export interface Address {
  readonly host: string
  /** 0 to 65535; a server on port 0 takes a free one. */
  readonly port: number
}

/** Where a chat is when nothing else is said. */
export const defaultAddress: Address = { host: "127.0.0.1", port: 55555 }

/** `host:port`, with brackets around an IPv6 address. */
export const format = ({ host, port }: Address): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
