import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'

/** Asks on the error output, so that a pipe behind this one stays clean; what is typed is not shown. */
export const askPassword = (username: string): Promise<string> => {
  process.stderr.write(`Password of ${username}: `)
  /* c8 ignore next -- only a terminal echoes */
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
