/** What is made of many measurements of the same thing. */

/** The value below which a `share` (0 to 1) of the values lies; NaN of none. */
export const quantile = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(Math.floor(values.length * share), values.length - 1)] ?? Number.NaN

export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)
