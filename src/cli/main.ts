/** The entry of the command: runs what src/cli.ts says for this process. */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import packageJson from "../../package.json" with { type: "json" }
import { argv, chat, logLevel } from "../cli.js"
import * as AdminCommand from "./AdminCommand.js"
import * as Completions from "./Completions.js"
import * as Edge from "./Edge.js"
import * as Help from "./Help.js"
import { terminal } from "./Process.js"

const cli = Command.run(chat, { name: Help.name, version: packageJson.version, executable: "chat" })

/** What `chat` alone stands for: on a terminal the user is asked, elsewhere it is help. */
const choose = (on: typeof terminal) =>
  on === undefined
    ? Effect.succeed("--help")
    : Effect.flatMap(
        Effect.promise(() => import("./Choose.js")),
        (Choose) => Choose.choose(on)
      )

const main = cli(argv).pipe(
  Effect.catchTag("Alone", () => Effect.flatMap(choose(terminal), (argument) => cli([...argv.slice(0, 2), argument]))),
  // @effect/cli names the subcommands of the level above.
  Effect.catchTag("CommandMismatch", (error) => Effect.fail(AdminCommand.explain(argv.slice(2)) ?? error))
)

Edge.run(main, logLevel, (printed) =>
  argv.includes("--completions")
    ? Completions.mend(printed)
    : Help.mend(printed, argv.slice(2), process.stdout.columns ?? Number.POSITIVE_INFINITY)
)
