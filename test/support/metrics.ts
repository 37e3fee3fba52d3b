/** Reads `/metrics` once. @returns a function from a series, labels included, to its value: 0 for a series that is absent */
export const readMetrics = async (url: string): Promise<(series: string) => number> => {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n')
  return (series) => {
    const line = lines.find((each) => each.startsWith(`${series} `))
    return Number(line?.slice(series.length) ?? 0)
  }
}
