// Prints how long `chat --help` takes, as a multiple of a bare `node -e 0`, both timed in turn in this one run.
import { execFileSync } from "node:child_process"

const time = (args) => {
  const start = performance.now()
  execFileSync(process.execPath, args, { stdio: "ignore" })
  return performance.now() - start
}
const median = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]

const runs = 15
const bare = []
const help = []
time(["dist/bin/chat.js", "--help"])
for (let i = 0; i < runs; i++) {
  bare.push(time(["-e", "0"]))
  help.push(time(["dist/bin/chat.js", "--help"]))
}
const ratio = median(help) / median(bare)
console.log(
  `chat --help: ${ratio.toFixed(2)} times node -e 0 (medians of ${runs}: ${median(help).toFixed(0)} ms, ${median(bare).toFixed(0)} ms; to stay below 3)`
)
