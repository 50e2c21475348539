import { describe, expect, it } from "@effect/vitest"
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
