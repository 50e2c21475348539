/** Writes the page of the manual to where the package has it. */
import { mkdirSync, writeFileSync } from "node:fs"
import { manual } from "./Manual.js"

mkdirSync("dist/man", { recursive: true })
writeFileSync("dist/man/chat.1", manual)
