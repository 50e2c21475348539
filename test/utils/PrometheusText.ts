/**
 * A reader of Prometheus' text format, version 0.0.4, written from its description: it throws at whatever a scrape would be
 * refused for, and at what a family may not be.
 */

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string | undefined
  readonly samples: ReadonlyArray<Sample>
}

const isMetricName = (name: string) => /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)

/** Of a help text or a label's value: only what is escaped in it may be. */
const unescape = (text: string, escapes: string): string =>
  text.replace(/\\(.?)/gs, (_, escaped: string) => {
    if (escaped === "" || !escapes.includes(escaped)) throw new Error(`nothing is escaped as \\${escaped}`)
    return escaped === "n" ? "\n" : escaped
  })

const numberOf = (text: string): number => {
  if (/^[+-]?Inf$/.test(text)) return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  if (text === "NaN") return Number.NaN
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) throw new Error(`not a number: ${text}`)
  return Number(text)
}

const sampleOf = (line: string): Sample => {
  const [, name = "", inner, value = ""] = /^([^\s{]+)(?:\{(.*)\})? (\S+)$/s.exec(line) ?? []
  if (!isMetricName(name)) throw new Error(`no sample: ${line}`)
  const labels: Record<string, string> = {}
  let rest = inner ?? ""
  while (rest !== "") {
    const found = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"(?:,|$)/.exec(rest)
    if (found === null) throw new Error(`no labels: ${inner}`)
    const [all, label = "", escaped = ""] = found
    if (label.startsWith("__")) throw new Error(`a label of Prometheus' own: ${label}`)
    if (Object.hasOwn(labels, label)) throw new Error(`a label twice: ${label}`)
    Object.defineProperty(labels, label, { value: unescape(escaped, '\\n"'), enumerable: true })
    rest = rest.slice(all.length)
  }
  return { name, labels, value: numberOf(value) }
}

/** The series that a sample is of, without the labels that tell the parts of one from each other. */
const seriesOf = ({ labels }: Sample, ...without: ReadonlyArray<string>): string =>
  JSON.stringify(
    Object.entries(labels)
      .filter(([label]) => !without.includes(label))
      .sort(([a], [b]) => (a < b ? -1 : 1))
  )

const suffixes: Record<string, ReadonlyArray<string>> = {
  counter: [""],
  gauge: [""],
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["", "_sum", "_count"]
}

/** Buckets have bounds that rise and counts that do not fall; the last one is all, as `_count` says. */
const checkHistogram = ({ name, samples }: Family): void => {
  for (const series of new Set(samples.map((sample) => seriesOf(sample, "le")))) {
    const own = samples.filter((sample) => seriesOf(sample, "le") === series)
    const buckets = own.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels }) => numberOf(labels.le ?? ""))
    const rises = (values: ReadonlyArray<number>, isEqualFine: boolean) =>
      values.every((value, i) => i === 0 || value > (values[i - 1] ?? 0) || (isEqualFine && value === values[i - 1]))
    if (!rises(bounds, false)) throw new Error(`${name}: the bounds do not rise: ${bounds}`)
    const counts = buckets.map(({ value }) => value)
    if (!rises(counts, true)) throw new Error(`${name}: the counts fall: ${counts}`)
    const [count, ...more] = own.filter((sample) => sample.name === `${name}_count`)
    const sums = own.filter((sample) => sample.name === `${name}_sum`)
    if (count === undefined || more.length > 0 || sums.length !== 1) throw new Error(`${name}: one sum and one count`)
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY || counts.at(-1) !== count.value) {
      throw new Error(`${name}: the last bucket is not all`)
    }
  }
}

/** The families of a text, and its comments that are neither HELP nor TYPE. */
export const parse = (text: string): { families: ReadonlyArray<Family>; comments: ReadonlyArray<string> } => {
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line has no end")
  const families = new Map<string, { type: string; help: string | undefined; samples: Array<Sample> }>()
  const helps = new Map<string, string>()
  const comments: Array<string> = []
  let current = ""
  for (const line of text.split("\n").slice(0, -1)) {
    const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/s.exec(line) ?? []
    if (keyword !== undefined) {
      if (!isMetricName(name)) throw new Error(`no name of a metric: ${name}`)
      if (keyword === "HELP") {
        if (helps.has(name) || families.has(name)) throw new Error(`${name}: HELP comes once, and first`)
        helps.set(name, unescape(rest, "\\n"))
      } else {
        if (families.has(name)) throw new Error(`${name} has two types`)
        if (suffixes[rest] === undefined) throw new Error(`${name}: no type: ${rest}`)
        families.set(name, { type: rest, help: helps.get(name), samples: [] })
        current = name
      }
    } else if (line.startsWith("#")) {
      comments.push(line)
    } else {
      const sample = sampleOf(line)
      const family = families.get(current)
      if (family === undefined || !suffixes[family.type]?.some((suffix) => sample.name === `${current}${suffix}`)) {
        throw new Error(`${sample.name} is not of the family ${current}, which it stands in`)
      }
      family.samples.push(sample)
    }
  }
  const all = Array.from(families, ([name, family]): Family => ({ name, ...family }))
  const names = all.flatMap(({ samples }) => samples.map((sample) => `${sample.name} ${seriesOf(sample)}`))
  if (new Set(names).size < names.length) throw new Error("a series is there twice")
  const lines = all.flatMap(({ name, type }) => (suffixes[type] ?? []).map((suffix) => `${name}${suffix}`))
  if (new Set(lines).size < lines.length) throw new Error("two families have a name in common")
  for (const family of all) if (family.type === "histogram") checkHistogram(family)
  return { families: all, comments }
}
