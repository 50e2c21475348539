// Draws a picture of a chat: a server and three members, run for real in tmux, and the screen of one of them as an SVG.
//
//     npm run bundle && node scripts/picture.mjs docs/terminal.svg
import { execFileSync, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import stringWidth from "string-width"

const [output] = process.argv.slice(2)
if (output === undefined) {
  console.error("usage: node scripts/picture.mjs FILE.svg")
  process.exit(2)
}

const columns = 78
const rows = 20
const chat = resolve("dist/bin/chat.js")
const directory = mkdtempSync(join(tmpdir(), "fernet-chat-"))
const environment = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(CHAT|npm)_|^NO_COLOR$/i.test(name))),
  XDG_STATE_HOME: join(directory, ".state"),
  TERM: "xterm-256color"
}
const tmux = (...args) =>
  execFileSync("tmux", ["-S", join(directory, "tmux"), "-f", "/dev/null", ...args], {
    cwd: directory,
    env: environment,
    encoding: "utf8"
  })
const pause = (ms) => new Promise((done) => setTimeout(done, ms))

/** The screen as it is, with its colours. */
const screen = () => tmux("capture-pane", "-p", "-e", "-t", "ada:")
/** Waits until a member's screen shows a text. */
const shows = async (text, nick = "ada") => {
  for (let tries = 0; tries < 500; tries++) {
    if (tmux("capture-pane", "-p", "-t", `${nick}:`).includes(text)) return
    await pause(20)
  }
  throw new Error(`the screen of ${nick} has not shown ${text}`)
}

/** Joins `nick` in a terminal of its own; gives what types and presses Enter there. */
const enterAs = async (nick, port) => {
  tmux(
    "new-session",
    "-d",
    "-x",
    String(columns),
    "-y",
    String(rows),
    "-s",
    nick,
    `exec node ${chat} c --nick ${nick} --port ${port}`
  )
  await shows(`you are ${nick}`, nick)
  const type = (text) => tmux("send-keys", "-t", `${nick}:`, "-l", "--", text)
  const enter = async (text) => {
    type(text)
    tmux("send-keys", "-t", `${nick}:`, "Enter")
    await pause(150)
  }
  return { type, enter }
}

const hex = (value) => value.toString(16).padStart(2, "0")
/** xterm's colour of a number: its cube and its greys. */
const colour = (number) => {
  if (number >= 232) return `#${hex(8 + (number - 232) * 10).repeat(3)}`
  const level = (value) => (value === 0 ? 0 : 55 + value * 40)
  const index = number - 16
  return `#${[Math.floor(index / 36), Math.floor(index / 6) % 6, index % 6].map((value) => hex(level(value))).join("")}`
}

const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const cell = { width: 8.4, height: 18 }
const margin = 14
const ground = "#16181d"
const ink = "#d8dce3"

/** What has been said of style so far: tmux says it where it changes, over the ends of rows too. */
let style = {}

/** A row of the screen as SVG: a text for each run of one style. */
const draw = (line, row) => {
  let column = 0
  const parts = []
  for (const [, sgr, text] of line.matchAll(/\x1b\[([\d;]*)m|([^\x1b]+)/g)) {
    if (sgr !== undefined) {
      const codes = sgr.split(";").map(Number)
      for (let index = 0; index < codes.length; index++) {
        const code = codes[index]
        if (code === 0) style = {}
        else if (code === 1) style = { ...style, bold: true }
        else if (code === 7) style = { ...style, reverse: true }
        else if (code === 27) style = { ...style, reverse: false }
        else if (code === 39) style = { ...style, fill: undefined }
        else if (code === 38) {
          style = { ...style, fill: colour(codes[index + 2]) }
          index += 2
        }
      }
      continue
    }
    const width = stringWidth(text)
    const [x, y] = [margin + column * cell.width, margin + row * cell.height]
    const fill = style.fill ?? ink
    if (style.reverse) {
      parts.push(`<rect x="${x}" y="${y}" width="${width * cell.width}" height="${cell.height}" fill="${fill}"/>`)
    }
    if (text.trim() !== "") {
      const weight = style.bold ? ' font-weight="bold"' : ""
      parts.push(
        `<text x="${x}" y="${y + 13}" fill="${style.reverse ? ground : fill}"${weight} textLength="${(width * cell.width).toFixed(1)}" lengthAdjust="spacingAndGlyphs" xml:space="preserve">${escape(text)}</text>`
      )
    }
    column += width
  }
  return parts.join("\n")
}

const server = spawn("node", [chat, "s", "--port", "0", "--ephemeral"], { cwd: directory, env: environment })
try {
  const port = await new Promise((done, failed) => {
    let text = ""
    server.stdout.on("data", (chunk) => {
      text += chunk
      const found = /serving on .*:(\d+)/.exec(text)
      if (found !== null) done(found[1])
    })
    server.once("exit", () => failed(new Error(`the server has ended:\n${text}`)))
  })
  const ada = await enterAs("ada", port)
  const bob = await enterAs("bob", port)
  await ada.enter("morning! has anybody tried the new release?")
  await bob.enter("hi Ada – the notes are at https://example.org/releases/2026-11")
  const cyd = await enterAs("cyd", port)
  await cyd.enter("ada: works here 🎉 日本語も大丈夫")
  await bob.enter("/me makes coffee")
  await shows("makes coffee")
  await ada.enter("/names")
  await ada.enter("splendid. I put the steps into one message:")
  ada.type("1. stop the server")
  tmux("send-keys", "-t", "ada:", "M-Enter")
  ada.type("2. npm install")
  tmux("send-keys", "-t", "ada:", "M-Enter")
  await ada.enter("3. start it again")
  await bob.enter("ada, shall I do it now?")
  await shows("shall I")
  ada.type("yes please, and tell us when ")
  await shows("tell us when")
  const lines = screen().trimEnd().split("\n")
  const [width, height] = [columns * cell.width + 2 * margin, lines.length * cell.height + 2 * margin]
  writeFileSync(
    output,
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width.toFixed(0)}" height="${height}" viewBox="0 0 ${width.toFixed(0)} ${height}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14">
<title>A chat of three in a terminal</title>
<rect width="100%" height="100%" rx="8" fill="${ground}"/>
${lines.map(draw).join("\n")}
</svg>
`
  )
} finally {
  server.kill("SIGTERM")
  tmux("kill-server")
  // Whose terminal has gone still writes while it ends.
  rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
}
