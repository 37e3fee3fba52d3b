import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'

/** Whoever ends what is started: a test, or a longer run. */
export type Owner = { teardown(end: () => void): unknown }

const entry = fileURLToPath(new URL('../../bin/messenger.js', import.meta.url))

/** @returns a port that was free just now. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/**
 * Starts the real process as `npm start` does, in `folder`, and waits until it listens.
 * @throws with what it printed, when it ends before that
 */
export const startProcess = async (t: Owner, folder: string, env: Record<string, string> = {}) => {
  const port = env.PORT ? Number(env.PORT) : await freePort()
  const child = spawn(process.execPath, [entry], {
    cwd: folder,
    env: { ...process.env, HOST: '127.0.0.1', PORT: String(port), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  }) as ChildProcess & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream }
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  const exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }))
  const listening = new Promise<void>((resolve) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString()
      if (output.includes('listening on')) resolve()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
  })
  await Promise.race([
    listening,
    exited.then(() => {
      throw new Error(`the process ended: ${output}`)
    }),
  ])
  const url = `http://127.0.0.1:${port}`
  /** @returns the bytes of memory that the process has. */
  const memory = async () => {
    const metrics = await (await fetch(`${url}/metrics`)).text()
    return Number(/process_resident_memory_bytes (\d+)/.exec(metrics)?.[1])
  }
  return { child, url, port, exited, memory, output: () => output }
}
