/** The package as `npm pack` makes it, installed into a project that has nothing else of this one. */
import { execFile } from "node:child_process"
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import * as Schema from "effect/Schema"
import * as Command from "../utils/Command.js"

export const root = fileURLToPath(new URL("../..", import.meta.url))

const Names = Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.String }), { default: () => ({}) })

/** What is read of a package.json, and of what package-lock.json says of a package. */
export const Manifest = Schema.parseJson(
  Schema.Struct({
    version: Schema.String,
    dependencies: Names,
    devDependencies: Names,
    optionalDependencies: Names,
    peerDependencies: Names,
    allowScripts: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.Boolean }), {
      default: () => ({})
    })
  })
)

const Locked = Schema.Struct({
  dev: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  optional: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  hasInstallScript: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  dependencies: Names,
  optionalDependencies: Names,
  peerDependencies: Names
})
const Lock = Schema.parseJson(Schema.Struct({ packages: Schema.Record({ key: Schema.String, value: Locked }) }))

/** Packages by where they are, as `node_modules/NAME`. */
export type Packages = typeof Lock.Type.packages

export const manifest = Schema.decodeUnknownSync(Manifest)(readFileSync(join(root, "package.json"), "utf8"))

export const locked = (file: string): Packages => Schema.decodeUnknownSync(Lock)(readFileSync(file, "utf8")).packages

const Packed = Schema.parseJson(
  Schema.Tuple(Schema.Struct({ filename: Schema.String, files: Schema.Array(Schema.Struct({ path: Schema.String })) }))
)

export interface Installed {
  /** The project. */
  readonly directory: string
  /** What is in the tarball. */
  readonly files: ReadonlyArray<string>
  readonly packages: Packages
}

const run = promisify(execFile)

/** Packs what is built, and installs it in `directory` together with what a bot needs that the package does not bring. */
export const install = async (directory: string): Promise<Installed> => {
  const env = Command.environment(directory)
  const pack = ["pack", "--ignore-scripts", "--json", "--pack-destination", directory]
  const { stdout } = await run("npm", pack, { cwd: root, env, maxBuffer: 1 << 24 })
  const [{ filename, files }] = Schema.decodeUnknownSync(Packed)(stdout)
  // Of all there is in the ranges the versions of this project: another's release must not decide a test.
  const pinned = (name: string) => [name, manifest.devDependencies[name]]
  const dependencies = Object.fromEntries([
    ["fernet-chat", `file:${filename}`],
    ...[...Object.keys(manifest.peerDependencies), "@effect/platform-node"].map(pinned)
  ])
  writeFileSync(join(directory, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }))
  // No script of a package is run: it has to work without.
  const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"]
  await run("npm", ["install", ...flags], { cwd: directory, env })
  const packages = locked(join(directory, "node_modules/.package-lock.json"))
  for (const types of ["@types/node", "undici-types"]) {
    mkdirSync(join(directory, "node_modules/@types"), { recursive: true })
    symlinkSync(join(root, "node_modules", types), join(directory, "node_modules", types), "junction")
  }
  cpSync(join(root, "test/package/consumer"), directory, { recursive: true })
  for (const example of readdirSync(join(root, "examples"))) {
    cpSync(join(root, "examples", example), join(directory, example))
  }
  return { directory, files: files.map(({ path }) => path), packages }
}

/** Where the packages are that `from` brings with it, itself included. */
export const closure = (packages: Packages, from: string): ReadonlyArray<string> => {
  /** As Node looks for it: in its own node_modules, then in those above. */
  const find = (name: string, where: string): string | undefined => {
    const place = `${where === "" ? "" : `${where}/`}node_modules/${name}`
    if (packages[place] !== undefined) return place
    return where === "" ? undefined : find(name, where.slice(0, Math.max(0, where.lastIndexOf("/node_modules/"))))
  }
  const found = new Set<string>()
  const visit = (place: string | undefined): void => {
    const entry = place === undefined ? undefined : packages[place]
    // Some optional ones are for other machines.
    if (place === undefined || entry === undefined || found.has(place)) return
    found.add(place)
    const names = Object.keys({ ...entry.dependencies, ...entry.optionalDependencies, ...entry.peerDependencies })
    for (const name of names) visit(find(name, place))
  }
  visit(find(from, ""))
  return [...found]
}

/** The bytes of a package's files, without the packages within it. */
export const sizeOf = (directory: string): number =>
  readdirSync(directory, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules")
    .map((entry) => {
      const path = join(directory, entry.name)
      return entry.isDirectory() ? sizeOf(path) : statSync(path).size
    })
    .reduce((sum, size) => sum + size, 0)
