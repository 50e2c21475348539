/**
 * What an operator does about members, as pure functions on the state of the room: who is meant, and what follows. Like
 * every decision it counts once the log has it.
 */
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import * as Admin from "../domain/Admin.js"
import * as Nickname from "../domain/Nickname.js"
import * as Protocol from "../domain/Protocol.js"
import * as Roster from "../domain/Roster.js"
import * as Skeleton from "../domain/Skeleton.js"
import type { Membership } from "./Membership.js"
import * as Members from "./Membership.js"
import * as RoomState from "./RoomState.js"

/** A decision, and what the operator is answered once it counts. */
export interface Decision<L, A> extends RoomState.Decision<L> {
  readonly outcome: Either.Either<A, Admin.OperatorError>
}

/** Decides at time `at` (ms). */
export type Act<A> = <L>(state: RoomState.State<L>, at: number) => Decision<L, A>

/** How many are named in a message. */
const mostNamed = 20

const listed = (names: ReadonlyArray<string>): string =>
  `${names.slice(0, mostNamed).join(", ")}${names.length > mostNamed ? ` and ${names.length - mostNamed} more` : ""}`

const whoIsHere = <L>(state: RoomState.State<L>): string => {
  const nicks = Roster.members(state.roster).map(({ nick }) => nick)
  return nicks.length === 0 ? "nobody is here" : `here are: ${listed(nicks)}`
}

const fail = (reason: Admin.OperatorError["reason"], message: string) =>
  Either.left(new Admin.OperatorError({ reason, message }))

const ambiguous = (who: string, found: ReadonlyArray<Membership>) => {
  const names = found.map(({ member, nick }) => `${nick} (@${member})`)
  return fail("ambiguous", `"${who}" may be ${listed(names)}: name one by its number, as in @${found[0]?.member}`)
}

/** Members that a nick may mean: those who have just this one before those who have it in another case. */
const called = (nick: string, members: ReadonlyArray<Membership>): ReadonlyArray<Membership> => {
  const exact = members.filter((membership) => membership.nick === nick)
  if (exact.length > 0) return exact
  const folded = Nickname.fold(nick)
  return members.filter((membership) => Nickname.fold(membership.nick) === folded)
}

/** Those of `members` that look as `nick` does. To ask so takes some time for each. */
const lookalikes = (nick: string, members: ReadonlyArray<Membership>): ReadonlyArray<Membership> => {
  const wanted = Skeleton.skeletons(nick)
  return members.filter((membership) => Skeleton.skeletons(membership.nick).some((each) => wanted.includes(each)))
}

/** Members who are here that look as `nick` does: more than one where it looks like two that do not look alike. */
const lookingLike = <L>(state: RoomState.State<L>, nick: string): ReadonlyArray<Membership> => {
  const found = new Set(
    Skeleton.skeletons(nick).flatMap((skeleton) => Option.toArray(HashMap.get(state.names, skeleton)))
  )
  return Array.from(found).flatMap((member) => Option.toArray(HashMap.get(state.members, member)))
}

/** The member that `@17` means; nothing where `who` is a nick. No nick has that sign. */
const numbered = <L>(state: RoomState.State<L>, who: string): Option.Option<ReadonlyArray<Membership>> =>
  /^@\d+$/.test(who)
    ? Option.some(
        Option.toArray(
          HashMap.get(state.members, Protocol.MemberId.make(Number(who.slice(1)), { disableValidation: true }))
        )
      )
    : Option.none()

/** Those that `who` may mean: among who is here, and, where that is asked, among all who ever were. */
const meant = <L>(state: RoomState.State<L>, who: string) => {
  const one = numbered(state, who)
  if (Option.isSome(one)) {
    return { here: one.value.filter(({ here }) => here), gone: () => one.value.filter(({ here }) => !here) }
  }
  const nick = who.normalize("NFKC")
  const alike = lookingLike(state, nick)
  const known = called(nick, alike)
  const gone = () =>
    called(
      nick,
      Array.from(HashMap.values(state.members)).filter(({ here }) => !here)
    )
  return { here: known.length > 0 ? known : alike, gone }
}

const decided = <L, A>(
  decision: RoomState.Decision<L>,
  outcome: Either.Either<A, Admin.OperatorError>
): Decision<L, A> => ({ ...decision, outcome })

/** Acts on the one member that is meant, or changes nothing. */
const onOne = <L, A>(
  state: RoomState.State<L>,
  found: Either.Either<Membership, Admin.OperatorError>,
  on: (membership: Membership) => Decision<L, A>
): Decision<L, A> =>
  Either.match(found, {
    onLeft: (error) => decided<L, A>(RoomState.decided(state, [], []), Either.left(error)),
    onRight: on
  })

/** Puts a member out of the room, connected or away for a moment. It may come back; its client does not by itself. */
export const kick =
  (who: string): Act<Admin.Kicked> =>
  (state, at) => {
    const { gone, here } = meant(state, who)
    const [only, other] = here
    const found =
      only === undefined
        ? gone().length > 0
          ? fail("absent", `"${who}" is not here any more, and can only be banned; ${whoIsHere(state)}`)
          : fail("unknown", `nobody here is called "${who}"; ${whoIsHere(state)}`)
        : other === undefined
          ? Either.right(only)
          : ambiguous(who, here)
    return onOne(state, found, (membership) => {
      const { member, nick } = membership
      const kicked = { ...membership, kicked: Protocol.next(state.head) }
      return decided(RoomState.putOut(state, kicked, "kicked", at), Either.right({ _tag: "Kicked", member, nick }))
    })
  }

/** Whom a ban means: who is here before who has left, unless the one looks like it and the other was called it. */
const toBan = <L>(state: RoomState.State<L>, who: string): Either.Either<Membership, Admin.OperatorError> => {
  const { gone, here } = meant(state, who)
  const nick = who.normalize("NFKC")
  const isNamed = here.some((membership) => membership.nick === nick)
  const rivals = isNamed ? [] : gone().filter((membership) => here.length === 0 || membership.nick === nick)
  const found = [...here, ...rivals]
  const [only, other] = found
  if (only === undefined) return fail("unknown", `nobody here is called "${who}", or was; ${whoIsHere(state)}`)
  return other === undefined ? Either.right(only) : ambiguous(who, found)
}

const barred = <L>(state: RoomState.State<L>): ReadonlyArray<Membership> =>
  Array.from(state.banned)
    .flatMap((member) => Option.toArray(HashMap.get(state.members, member)))
    .sort((a, b) => a.member - b.member)

/** The state in which those are banned, each as its membership says. */
const withBans = <L>(state: RoomState.State<L>, banned: RoomState.State<L>["banned"]): RoomState.State<L> => {
  const next = { ...state, banned }
  return { ...next, barred: Members.barredNetworks(barred(next)) }
}

const hereFrom = <L>(state: RoomState.State<L>, network: string | undefined): ReadonlyArray<Protocol.Member> =>
  network === undefined
    ? []
    : Roster.members(state.roster).filter(({ member }) => Option.contains(HashMap.get(state.networks, member), network))

/**
 * Bars a member for as long as the log remembers it, here or not, and the network it comes from, where that is known and
 * not `ticketOnly`. Who is barred already is barred as it is said now.
 */
export const ban =
  (who: string, ticketOnly: boolean): Act<Admin.Banned> =>
  <L>(state: RoomState.State<L>, at: number) =>
    onOne<L, Admin.Banned>(state, toBan(state, who), (membership) => {
      const { member, nick } = membership
      const known = Option.getOrElse(HashMap.get(state.networks, member), () => membership.banned?.network)
      const network = ticketOnly || known === undefined ? {} : { network: known }
      const banned: Membership = { ...membership, banned: { at, ...network } }
      const out = membership.here
        ? RoomState.putOut(state, banned, "banned", at)
        : RoomState.decided({ ...state, members: HashMap.set(state.members, member, banned) }, [], [], [member])
      const after = withBans(out.state, HashSet.add(out.state.banned, member))
      const others = Admin.some(hereFrom(after, network.network))
      return decided({ ...out, state: after }, Either.right({ _tag: "Banned", member, nick, ...network, others }))
    })

/** Lifts the ban of a member, of who was called so last. */
export const unban =
  (who: string): Act<Admin.Unbanned> =>
  <L>(state: RoomState.State<L>) => {
    const all = barred(state)
    const one = Option.map(numbered(state, who), (found) => found.filter(({ banned }) => banned !== undefined))
    const named = Option.getOrElse(one, () => {
      const nick = who.normalize("NFKC")
      const known = called(nick, all)
      return known.length > 0 ? known : lookalikes(nick, all)
    })
    const [only, other] = named
    const found =
      only === undefined
        ? fail(
            "not-banned",
            all.length === 0
              ? "nobody is banned"
              : `nobody who is banned was called "${who}"; banned are: ${listed(all.map(({ nick }) => nick))}`
          )
        : other === undefined
          ? Either.right(only)
          : ambiguous(who, named)
    return onOne<L, Admin.Unbanned>(state, found, ({ banned, ...free }) => {
      const { member, nick } = free
      const members = HashMap.set(state.members, member, free)
      const network = banned?.network === undefined ? {} : { network: banned.network }
      const still = all.filter((each) => each.member !== member && each.banned?.network === banned?.network)
      const others = Admin.some(network.network === undefined ? [] : still)
      const after = withBans({ ...state, members }, HashSet.remove(state.banned, member))
      return decided(
        RoomState.decided(after, [], [], [member]),
        Either.right({ _tag: "Unbanned", member, nick, ...network, others })
      )
    })
  }

/** Who is barred, by member. */
export const bans = <L>(state: RoomState.State<L>): ReadonlyArray<Admin.BanEntry> =>
  barred(state).flatMap(({ banned, member, nick }) => (banned === undefined ? [] : [{ member, nick, ...banned }]))
