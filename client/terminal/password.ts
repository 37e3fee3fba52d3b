import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'

/**
 * Asks for a password on the standard error output, because the standard output may be a pipe. A terminal does not show
 * what is typed.
 * @returns the line that was typed; empty if the input has ended
 */
export const readPassword = (username: string): Promise<string> => {
  process.stderr.write(`Password of ${username}: `)
  /* c8 ignore next -- readline echoes only on a terminal */
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const { stdin: input } = process
  const lines = createInterface({ input, output: silent, terminal: input.isTTY })
  return new Promise((resolve) => {
    let password = ''
    lines.once('line', (line) => {
      password = line
      lines.close()
    })
    lines.once('close', () => {
      process.stderr.write('\n')
      resolve(password)
    })
  })
}
