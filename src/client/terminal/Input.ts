/** What a typed line asks for. */

export type Input =
  | { readonly _tag: "Say"; readonly text: string; readonly me: boolean }
  | { readonly _tag: "Nick"; readonly nick: string }
  | { readonly _tag: "Names" }
  | { readonly _tag: "Quit" }
  | { readonly _tag: "Help" }
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "Unknown"; readonly command: string }

/** The commands, for those who ask. */
export const help = [
  "/me TEXT     say what you do: * ada waves",
  "/names       who is here",
  "/nick NAME   take another nick",
  "/quit        leave (Ctrl-C or Ctrl-D on an empty line do as well)",
  "//TEXT       say a text that starts with a slash"
]

/** Reads a line. Commands start with a slash, in either case; two slashes say one. */
export const parse = (line: string): Input => {
  if (line.trim() === "") return { _tag: "Nothing" }
  if (!line.startsWith("/")) return { _tag: "Say", text: line, me: false }
  if (line.startsWith("//")) return { _tag: "Say", text: line.slice(1), me: false }
  const [, command = "", rest = ""] = /^\/(\S*)\s*(.*)$/su.exec(line) ?? []
  switch (command.toLowerCase()) {
    case "me":
      return rest === "" ? { _tag: "Help" } : { _tag: "Say", text: rest, me: true }
    case "nick":
      return rest === "" ? { _tag: "Help" } : { _tag: "Nick", nick: rest.trim() }
    case "names":
      return { _tag: "Names" }
    case "quit":
      return { _tag: "Quit" }
    case "help":
      return { _tag: "Help" }
    default:
      return { _tag: "Unknown", command }
  }
}
