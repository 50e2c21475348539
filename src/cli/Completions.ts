/** What @effect/cli makes for `--completions`, mended. */

const names = "key-file|db|output|socket|transcript"

/**
 * With files offered where an option names one: the generator knows no text that is a file, unless it also refuses what
 * is no regular file, as `-` or `<(pass show chat)`. In bash any text is completed to a file already.
 */
const withFiles = (script: string): string =>
  script
    .replace(new RegExp(`^(complete .*-l (?:${names}) -r) -f `, "gm"), "$1 -F ")
    .replace(new RegExp(`^(\\s*'(?:--(?:${names})|-o)\\[.*\\])(' \\\\)$`, "gm"), "$1:file:_files$2")

/** In bash, a subcommand of a subcommand: what has been read by then is joined otherwise than where it is looked for. */
const withNested = (script: string): string =>
  script.replace(/^( +\w+(?:,\w+)+)(,\w+\))$/gm, (_, read: string, word) => read.replaceAll(",", "__") + word)

/** A script for a shell, as it should be. */
export const mend = (script: string): string => withNested(withFiles(script))
