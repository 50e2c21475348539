// The licenses of the packages that are within bundles: theirs ask that they go where the code goes.
import { readdirSync, readFileSync } from "node:fs"

/** The directory of the package that an input of esbuild's is of, if it is of one. */
const packageOf = (input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(input)?.[0]

const textOf = (directory) => {
  const files = readdirSync(directory)
  const read = (file) => readFileSync(`${directory}/${file}`, "utf8").trim()
  const licenses = files.filter((file) => /^(licen[sc]e|copying|notice)/i.test(file)).map(read)
  if (licenses.length > 0) return licenses.join("\n\n")
  // Some tell it in their readme alone.
  const readme = files.find((file) => /^readme/i.test(file))
  const section = readme && /^#+ *licen[sc]e *$([\s\S]*?)(?=^#|$(?![\s\S]))/im.exec(read(readme))?.[1].trim()
  if (!section) throw new Error(`${directory} says nowhere how it is licensed`)
  return section
}

/** What is to be told of bundles, by the metafiles that esbuild has written of them. */
export const licenses = (metafiles) => {
  const outputs = metafiles.flatMap(({ outputs }) => Object.values(outputs))
  const used = outputs.flatMap(({ inputs }) =>
    Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0)
  )
  const directories = new Set(used.flatMap(([input]) => packageOf(input) ?? []))
  const packages = [...directories].sort().map((directory) => {
    const { name, version } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"))
    return `${name} ${version}\n\n${textOf(directory)}\n`
  })
  return ["What is bundled here is made of these packages too.\n", ...packages].join(`\n${"-".repeat(78)}\n\n`)
}
