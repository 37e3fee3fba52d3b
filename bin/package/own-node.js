import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/**
 * Runs the same command in the Node.js that was installed with the package, and ends as it ends. The two processes share their
 * streams, and signals are passed on.
 */
export const runInOwnNode = () => {
  const own = find()
  if (!own) {
    console.error(
      `messenger needs Node.js 24.7 or newer, but this is ${process.version}. Install the package without --omit=optional: ` +
        'on Linux, Windows and Macs with Intel processors it then brings a suitable Node.js. Elsewhere install Node.js 24.',
    )
    process.exitCode = 1
    return
  }
  const child = spawn(own, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`${own} does not start: ${error.message}`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

/** @returns the path of the executable of the optional dependency for this machine, or undefined */
const find = () => {
  const [system, file] = process.platform === 'win32' ? ['win', 'node.exe'] : [process.platform, 'node']
  const require = createRequire(import.meta.url)
  try {
    return join(dirname(require.resolve(`node-${system}-${process.arch}/package.json`)), 'bin', file)
  } catch {
    return undefined
  }
}
