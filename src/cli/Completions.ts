/** What @effect/cli makes for `--completions`, mended. */
import * as LogLine from "./LogLine.js"

const names = "key-file|db|output|socket|transcript"

/**
 * With files offered where an option names one: the generator knows no text that is a file, unless it also refuses what
 * is no regular file, as `-` or `<(pass show chat)`. In bash any text is completed to a file already.
 */
const withFiles = (script: string): string =>
  script
    .replace(new RegExp(`^(complete .*-l (?:${names}) -r) -f `, "gm"), "$1 -F ")
    .replace(new RegExp(`^(\\s*'(?:--(?:${names})|-o)\\[.*\\])(' \\\\)$`, "gm"), "$1:file:_files$2")

const formats = LogLine.LogFormat.literals.join(" ")

/** With the values of `--log-format`: an option that a variable may give as well has none of its own. */
const withFormats = (script: string): string =>
  script
    .replace(/(--log-format\)\n +COMPREPLY=\( \$\(compgen )-f /g, `$1-W "${formats}" -- `)
    .replace(/^(complete .*-l log-format -r -f )/gm, `$1-a "${formats}" `)
    .replace(/^(\s*'--log-format\[.*\])(' \\)$/gm, `$1:format:(${formats})$2`)

/** In bash, the values of what every command takes: the generator knows them in the other shells only. */
const withCommon = (script: string): string => {
  const values = { "log-level": LogLine.levelNames, completions: ["bash", "zsh", "fish"] }
  const cases = Object.entries(values).map(
    ([name, words]) => `
                --${name})
                    COMPREPLY=( $(compgen -W "${words.join(" ")}" -- "\${cur}") )
                    return 0
                    ;;`
  )
  return script.replace(/case "\$\{prev\}" in$/gm, (found) => found + cases.join(""))
}

/** In bash, a subcommand of a subcommand: what has been read by then is joined otherwise than where it is looked for. */
const withNested = (script: string): string =>
  script.replace(/^( +\w+(?:,\w+)+)(,\w+\))$/gm, (_, read: string, word) => read.replaceAll(",", "__") + word)

/** A script for a shell, as it should be. */
export const mend = (script: string): string => withNested(withCommon(withFormats(withFiles(script))))
