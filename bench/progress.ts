/* c8 ignore start -- it measures the product and is no part of it; a smoke run among the tests takes its shortest way */
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
