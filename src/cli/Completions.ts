/** What @effect/cli makes for `--completions`, mended. */

const names = "key-file|db|output|socket|transcript"

/**
 * With files offered where an option names one: the generator knows no text that is a file, unless it also refuses what
 * is no regular file, as `-` or `<(pass show chat)`. In bash any text is completed to a file already.
 */
export const withFiles = (script: string): string =>
  script
    .replace(new RegExp(`^(complete .*-l (?:${names}) -r) -f `, "gm"), "$1 -F ")
    .replace(new RegExp(`^(\\s*'(?:--(?:${names})|-o)\\[.*\\])(' \\\\)$`, "gm"), "$1:file:_files$2")
