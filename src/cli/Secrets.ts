/** What must not be printed, wherever it comes from: in place of a file name or an option, within an error, from elsewhere. */

/** Keys and invites, as a user may have typed them; tickets; Fernet tokens, which are seals and frames. */
const secrets: ReadonlyArray<readonly [pattern: RegExp, instead: string]> = [
  [/gAAAA[\w-]{40,}=*/g, "(a token)"],
  [/#v\d+\.\S*|[\w-]{43,}=+/g, "(a key)"],
  [/(?<![\w-])[\w-]{22}==/g, "(a ticket)"]
]

/** A text without the secrets in it. */
export const hide = (text: string): string =>
  secrets.reduce((shown, [pattern, instead]) => shown.replace(pattern, instead), text)
