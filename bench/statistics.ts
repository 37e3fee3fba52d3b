/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
/** @returns the middle value, or the mean of the two middle values. */
export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/** @returns half the distance from the smallest to the largest value, as a fraction of the median. */
export const spread = (values: readonly number[]): number =>
  (Math.max(...values) - Math.min(...values)) / 2 / Math.abs(median(values))

/** Milliseconds. */
export type Latency = { p50: number; p99: number; max: number }

/** @param samples milliseconds, unsorted, at least one */
export const latency = (samples: readonly number[]): Latency => {
  const sorted = Float64Array.from(samples).toSorted()
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}
