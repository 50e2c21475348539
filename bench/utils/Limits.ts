/**
 * What servers that are measured are told of their limits, all in one place: thousands of members come from one address
 * here, all at once, and say as much as they can. Nothing else of a server is other than its users have it.
 */

/** Members here say nothing but texts, and hear all the same bytes: nobody is asked whether it is there. */
export const unasked = { pingAfter: "1 day", silentAfter: "2 days" } as const

/** For a server that is put under load. */
export const load = {
  ...unasked,
  halfOpen: 20_000,
  halfOpenPerAddress: 20_000,
  connections: 20_000,
  connectionsPerAddress: 20_000,
  burst: 1_000_000_000,
  rate: 1_000_000_000
} as const

/** The same as `chat s` takes it: `pingAfter` is CHAT_PING_AFTER. */
export const environment = (limits: Partial<typeof load>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(limits).map(([name, limit]) => [
      `CHAT_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
      String(limit)
    ])
  )
