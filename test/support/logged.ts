import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { temporaryFolder } from './server.ts'

type Line = { level: number; reqId?: string; user_id?: number; [member: string]: unknown }

/** A server whose log lines are collected. */
export const startLogged = async (t: Test, level: string) => {
  const folder = await temporaryFolder(t)
  const config = loadConfig({ DATABASE_URL: `sqlite:${join(folder, 'messenger.db')}`, LOG_LEVEL: level })
  let text = ''
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk
      done()
    },
  })
  const app = await buildApp(config, { logger: { level, stream } })
  t.teardown(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const lines = () =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line)
  return { app, url, lines, text: () => text }
}
