/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
/** One line that says what is being done: rewritten in a terminal, a line each elsewhere. */
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
