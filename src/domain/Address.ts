/** Where a chat is, on TCP. */
import * as Option from "effect/Option"

/** Where to listen or whom to call. */
export interface Address {
  readonly host: string
  /** 0 to 65535; a server on port 0 takes a free one. */
  readonly port: number
}

/** Where a chat is when nothing else is said. */
export const defaultAddress: Address = { host: "127.0.0.1", port: 55555 }

/** The address of which parts are given: what is not is the default's. */
export const orDefault = (given: {
  readonly host: Option.Option<string>
  readonly port: Option.Option<number>
}): Address => ({
  host: Option.getOrElse(given.host, () => defaultAddress.host),
  port: Option.getOrElse(given.port, () => defaultAddress.port)
})

/** `host:port`, with brackets around an IPv6 address. */
export const format = ({ host, port }: Address): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

/** `host:port`, with brackets around an IPv6 address; or `:port`, or a port alone, of this machine for itself. */
export const parse = (text: string): Option.Option<Address> => {
  const [, inBrackets, plain, digits] = /^(?:(?:\[([^\]\s]+)\]|([^:\s[\]]*)):)?(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  return digits === undefined || port > 65_535
    ? Option.none()
    : Option.some({ host: inBrackets || plain || defaultAddress.host, port })
}

/** Whether who listens there listens on all addresses of its machine. */
export const isEverywhere = (host: string): boolean => host === "0.0.0.0" || host === "::"

/** Whether only the machine itself is reached there. */
export const isLocal = (host: string): boolean => /^(localhost|127\.[\d.]+|::1)$/.test(host)

/** The part of an IPv6 address that a customer of a network is given, in groups of 16 bits. */
const prefixLength = 4

/**
 * The network that a host stands for where addresses are counted, as text to compare: an IPv4 address itself, also where
 * it is written as IPv6 (`::ffff:192.0.2.1`), and the /64 of an IPv6 address. `host` is as the system writes it.
 */
export const network = (host: string): string => {
  const mapped = host.startsWith("::ffff:") ? host.slice("::ffff:".length) : host
  if (!mapped.includes(":")) return mapped
  const [address = ""] = host.split("%")
  const [head = "", tail = ""] = address.split("::")
  const groups = (part: string) => (part === "" ? [] : part.split(":"))
  const before = groups(head)
  const zeros = Array.from({ length: Math.max(8 - before.length - groups(tail).length, 0) }, () => "0")
  return `${[...before, ...zeros, ...groups(tail)].slice(0, prefixLength).join(":")}::/64`
}
