/** What a nick looks like. Apart from Nickname, because the table takes 10 ms to load, and only a server asks it. */
import unhomoglyph from "unhomoglyph"

const fold = (text: string): string => text.toUpperCase().toLowerCase()

const look = (text: string): string => unhomoglyph(text.normalize("NFD")).normalize("NFD")

/**
 * What two nicks have in common when a reader could take one for the other: the confusable skeleton of Unicode TR39
 * (its table as of Unicode 13, from `unhomoglyph` 1.0.6), case folded. Some letters look alike as capitals only, some
 * in lower case only (`I` and `l`, Cyrillic `В` and `B`), so the table is asked before folding and after, and a nick
 * has a skeleton of either kind. It is free when no member has one of them.
 */
export const skeletons = (nick: string): ReadonlyArray<string> => [
  ...new Set([fold(look(fold(nick))), fold(look(nick))])
]
