/** What is said of a run: what the server had before and has afterwards, what was found, and whether that may be. Pure. */
import * as Table from "../../bench/utils/Table.js"
import type * as Checker from "../simulation/Checker.js"
import type { Inventory } from "./Inventory.js"
import * as Limits from "./Limits.js"

export interface Row {
  readonly what: string
  readonly before: string
  readonly after: string
  readonly bound: string
  /** Nothing is said of what is reported only, or cannot be seen here. */
  readonly isOk: boolean | undefined
}

export interface Findings {
  /** All that was found in the texts and by those who came and went. */
  readonly violations: ReadonlyArray<Checker.Violation>
  readonly acknowledged: number
  /** What the server had to complain of. */
  readonly complaints: ReadonlyArray<string>
  /** How often the server has ended by itself. */
  readonly crashes: number
}

const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(2)} MiB`

const memory = (what: string, before: number, after: number): Row => ({
  what,
  before: mebibytes(before),
  after: mebibytes(after),
  bound: `before + ${mebibytes(Limits.growth)}`,
  isOk: after - before <= Limits.growth
})

/** What may not be more than it was. */
const count = (what: string, before: number | undefined, after: number | undefined, unseen = ""): Row =>
  before === undefined || after === undefined
    ? { what, before: "", after: unseen, bound: "", isOk: undefined }
    : { what, before: String(before), after: String(after), bound: "before", isOk: after <= before }

const none = (what: string, after: number, before?: number): Row => ({
  what,
  before: before === undefined ? "" : String(before),
  after: String(after),
  bound: "0",
  isOk: after === 0
})

/** What the process has left. */
export const left = (before: Inventory, after: Inventory): ReadonlyArray<Row> => [
  memory("heap", before.heap, after.heap),
  memory("memory outside of the heap", before.outside, after.outside),
  { what: "resident memory", before: mebibytes(before.rss), after: mebibytes(after.rss), bound: "", isOk: undefined },
  count("file descriptors", before.descriptors, after.descriptors, "no /proc here"),
  count("fibers", before.fibers, after.fibers),
  ...Array.from(new Set([...Object.keys(before.handles), ...Object.keys(after.handles)]))
    .sort()
    .map((kind) => count(`handles: ${kind}`, before.handles[kind] ?? 0, after.handles[kind] ?? 0)),
  ...(["sessions", "sockets"] as const).map((kind) =>
    count(`objects held: ${kind}`, before.objects?.[kind], after.objects?.[kind], "not told by this node")
  ),
  none("connections", after.connections, before.connections),
  none("members", after.members, before.members)
]

const isRight = ({ isOk }: Row): boolean => isOk !== false

/** Whether the process is back where it was. */
export const isBack = (before: Inventory, after: Inventory): boolean => left(before, after).every(isRight)

const rules: Record<string, ReadonlyArray<Checker.Rule>> = {
  "acknowledged texts lost": ["lost"],
  "texts doubled": ["doubled"],
  "texts or events out of order": ["order", "numbers", "shown"]
}

/** What has become of texts, and what else has gone wrong. */
const found = ({ acknowledged, complaints, crashes, violations }: Findings): ReadonlyArray<Row> => {
  const known = Object.values(rules).flat()
  const other = violations.filter(({ rule }) => !known.includes(rule))
  return [
    {
      what: "texts acknowledged",
      before: "",
      after: String(acknowledged),
      bound: "at least 1",
      isOk: acknowledged > 0
    },
    ...Object.entries(rules).map(([what, broken]) =>
      none(what, violations.filter(({ rule }) => broken.includes(rule)).length)
    ),
    none("other surprises to members", other.length),
    none("complaints in the server's log", complaints.length),
    none("crashes of the server", crashes)
  ]
}

/** All of it; nothing of what is left where the server has not lived to tell. */
export const rows = (
  stock: { readonly before: Inventory; readonly after: Inventory } | undefined,
  findings: Findings
): ReadonlyArray<Row> => [...(stock === undefined ? [] : left(stock.before, stock.after)), ...found(findings)]

export const isAllRight = (rows: ReadonlyArray<Row>): boolean => rows.every(isRight)

const verdict = ({ isOk }: Row): string => (isOk === undefined ? "" : isOk ? "ok" : "NOT OK")

export const table = (rows: ReadonlyArray<Row>): string =>
  Table.render(
    "when all are gone, and what was found:",
    ["what", "before", "after", "bound", ""],
    rows.map((row) => [row.what, row.before, row.after, row.bound, verdict(row)])
  )
