/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
/** Shows the current step on stderr: one line that is overwritten in a terminal, one line per step elsewhere. */
export const createProgress = () => {
  const { stderr } = process
  const started = performance.now()
  const clear = () => {
    if (stderr.isTTY) stderr.write('\r\u001b[K')
  }
  return {
    clear,
    show(text: string) {
      const seconds = Math.round((performance.now() - started) / 1000)
      clear()
      stderr.write(`[${seconds} s] ${text}${stderr.isTTY ? '' : '\n'}`)
    },
  }
}
