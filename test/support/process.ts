import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { readMetrics } from './metrics.ts'
import { databaseEnvironment } from './test-database.ts'

/** A test or a long run, which ends the started processes. */
export type Owner = { teardown(end: () => void): unknown }

const entry = fileURLToPath(new URL('../../bin/messenger.js', import.meta.url))

/** @returns a port that was free at the time of the call. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/**
 * Starts the real server process in `folder`, and waits until it listens.
 * @throws an error with the output if the process ends before it listens
 */
export const startProcess = async (t: Owner, folder: string, env: Record<string, string> = {}) => {
  const port = env.PORT ? Number(env.PORT) : await freePort()
  const child = spawn(process.execPath, [entry], {
    cwd: folder,
    env: { ...process.env, HOST: '127.0.0.1', PORT: String(port), ...databaseEnvironment(folder), ...env },
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
      throw new Error(`The process ended before it listened: ${output}`)
    }),
  ])
  const url = `http://127.0.0.1:${port}`
  /** @returns the resident memory of the process in bytes. */
  const memory = async () => (await readMetrics(url))('process_resident_memory_bytes')
  return { child, url, port, exited, memory, output: () => output }
}
