/**
 * Where a character, as a reader sees one, begins and ends: an emoji of several people, a flag, a letter with its marks.
 * Offsets are in UTF-16 units. Only the surroundings of an offset are looked at, so that a long text costs little: some
 * 30 µs at 16,000 characters, where to cut all of it costs several ms.
 */

// The rules are the same for every language.
const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" })

// Characters that never join with one another (but with others they may): most that is written, and quick to tell.
const simple =
  "\\n\\t\\u0020-\\u007e\\u00a1-\\u00ac\\u00ae-\\u02ff\\u0370-\\u0482\\u048a-\\u052f\\u05d0-\\u05ea\\u0620-\\u064a" +
  "\\u0e01-\\u0e30\\u0e40-\\u0e46\\u3041-\\u3096\\u30a1-\\u30fa\\u4e00-\\u9fff\\uac00-\\ud7a3\\uff01-\\uff60"
const allSimple = new RegExp(`^[${simple}]*$`)

const isSimple = (text: string, at: number): boolean => allSimple.test(text.charAt(at))

/** Whether `at` is between two that never join. Beyond either end there is nothing to join with. */
const isApart = (text: string, at: number): boolean => isSimple(text, at - 1) && isSimple(text, at)

/** The boundary before `at`, which is one. */
export const before = (text: string, at: number): number =>
  at > 0 && isApart(text, at - 1) ? at - 1 : (segmenter.segment(text).containing(at - 1)?.index ?? 0)

/** The boundary after `at`. */
export const after = (text: string, at: number): number => {
  if (at < text.length && isApart(text, at + 1)) return at + 1
  const found = segmenter.segment(text).containing(at)
  return found === undefined ? text.length : found.index + found.segment.length
}

/** `at` when it is a boundary, otherwise the one after it. */
export const ceil = (text: string, at: number): number => {
  if (isApart(text, at)) return at
  const found = segmenter.segment(text).containing(at)
  return found === undefined || found.index === at ? at : found.index + found.segment.length
}

const cut = (text: string): ReadonlyArray<string> =>
  allSimple.test(text) ? text.split("") : Array.from(segmenter.segment(text), ({ segment }) => segment)

// Units that are cut first: most words are shorter.
const piece = 32

/**
 * What follows `at`, which is a boundary, one by one. Pieces that grow are cut: those near soon, and all of a text in
 * linear time.
 */
export function* forward(text: string, at: number): Generator<string> {
  let from = at
  for (let size = piece; from < text.length; size *= 2) {
    const to = ceil(text, Math.min(from + size, text.length))
    yield* cut(text.slice(from, to))
    from = to
  }
}

/** What is before `at`, which is a boundary, the last one first. */
export function* backward(text: string, at: number): Generator<string> {
  let to = at
  for (let size = piece; to > 0; size *= 2) {
    // The boundary before or at the offset: before the one after it.
    const from = to <= size ? 0 : before(text, after(text, to - size))
    yield* cut(text.slice(from, to)).toReversed()
    to = from
  }
}

/** How many there are in `text`; counting ends at `limit`. */
export const count = (text: string, limit: number): number => {
  if (allSimple.test(text)) return Math.min(text.length, limit)
  let counted = 0
  for (const _ of segmenter.segment(text)) if (++counted === limit) break
  return counted
}

/** The boundary after the first `many` of `text`, or its end. */
export const skip = (text: string, many: number): number => {
  if (allSimple.test(text)) return Math.min(many, text.length)
  let counted = 0
  for (const { index } of segmenter.segment(text)) if (++counted > many) return index
  return text.length
}
