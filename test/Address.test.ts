import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Address from "../src/domain/Address.js"

describe("the network of a host", () => {
  const networks: ReadonlyArray<readonly [host: string, network: string]> = [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["2001:db8::6", "2001:db8:0:0::/64"],
    ["2001:db8:1::3:4:5:6", "2001:db8:1:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["unknown", "unknown"]
  ]
  it.each(networks)("%s is of %s", (host, network) => {
    expect(Address.network(host)).toBe(network)
  })

  it("is one for all addresses of a /64, and another beyond it", () => {
    expect(Address.network("2001:db8:1:2::1")).toBe(Address.network("2001:db8:1:2:ffff:ffff:ffff:ffff"))
    expect(Address.network("2001:db8:1:3::1")).not.toBe(Address.network("2001:db8:1:2::1"))
  })
})

describe("an address as text", () => {
  const addresses: ReadonlyArray<readonly [text: string, host: string, port: number]> = [
    ["127.0.0.1:9464", "127.0.0.1", 9464],
    ["localhost:1", "localhost", 1],
    ["0.0.0.0:0", "0.0.0.0", 0],
    ["[::1]:65535", "::1", 65_535],
    ["[::]:9464", "::", 9464],
    [":9464", "127.0.0.1", 9464],
    ["9464", "127.0.0.1", 9464]
  ]
  it.each(addresses)("%s is %s, port %i", (text, host, port) => {
    expect(Address.parse(text)).toEqual(Option.some({ host, port }))
  })

  it.each([
    "",
    "localhost",
    "a:b",
    "::1:9464",
    "::1",
    "[::1]",
    "a:65536",
    "a:-1",
    "a b:1",
    "a:1:2",
    "[]:1",
    "http://a:1"
  ])("%s is none", (text) => {
    expect(Address.parse(text)).toEqual(Option.none())
  })

  it.prop("is read as it is written", [fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()), fc.nat(65_535)], ([host, port]) => {
    expect(Address.parse(Address.format({ host, port }))).toEqual(Option.some({ host, port }))
  })
})
