/** Tables of text: a title, a line of headings, a line each row. */

/** The first column is names; all others are figures. */
export const render = (
  title: string,
  headings: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>
): string => {
  const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const line = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ")
      .trimEnd()
  return [title, "", ...[headings, ...rows].map((cells) => `  ${line(cells)}`), ""].join("\n")
}
