import { cpSync, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type App, buildApp } from '../../src/app.ts'
import { createServerKey } from '../../src/chat/administration.ts'
import { newServerKey } from '../../src/chat/server-keys.ts'
import { loadConfig } from '../../src/config.ts'
import { createDatabase, databaseUrl, dropDatabase, onPostgres } from '../support/test-database.ts'

export type Result<T = Record<string, unknown>> = { status: number; code: string; body: T }

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** A server that can restart, crash, and lose a batch on its bus. Several worlds share it. */
export class Host {
  app!: App
  url = ''
  #key = ''
  #folder = ''
  #flusher = ''
  #lose = 0

  async start() {
    this.#folder = await mkdtemp(join(tmpdir(), 'messenger-model-'))
    await createDatabase(this.#folder)
    await this.#open()
    this.#flusher = await this.login('flusher')
    const { key, hash } = newServerKey()
    await createServerKey(this.app.chat, { name: 'app', hash })
    this.#key = key
  }

  /** Stops in order and starts again on the same database. */
  async restart() {
    await this.app.close()
    await this.#open()
  }

  /** Simulates a crash: discards the memory of the old server. On SQLite it starts on a copy of the current files. */
  async crash() {
    const [dead, deadFolder] = [this.app, this.#folder]
    if (onPostgres) {
      await dead.database.writer.terminate()
      await dead.close()
      await this.#open()
      return
    }
    this.#folder = await mkdtemp(join(tmpdir(), 'messenger-model-'))
    for (const suffix of ['', '-wal']) {
      cpSync(join(deadFolder, `messenger.db${suffix}`), join(this.#folder, `messenger.db${suffix}`))
    }
    await dead.close()
    rmSync(deadFolder, { recursive: true, force: true })
    await this.#open()
  }

  async stop() {
    await this.app.close()
    await dropDatabase(this.#folder)
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Makes the bus drop the next batch. */
  loseBatch() {
    this.#lose = 1
  }

  /** Writes a message that no world sees, so that a lost batch shows as a gap. */
  async flush() {
    this.#lose = 0
    await this.call(this.#flusher, 'POST', '/send', { receiver_username: 'flusher', content: 'flush' })
  }

  async login(username: string): Promise<string> {
    const { body } = await this.call<{ token: string }>('', 'POST', '/login', { username })
    return body.token
  }

  /** Calls as the app, or on behalf of a user. */
  asApp<T = Record<string, unknown>>(method: Method, url: string, body?: object, user?: string) {
    const onBehalf: Record<string, string> =
      user === undefined ? {} : { 'on-behalf-of': encodeURIComponent(user) }
    return this.call<T>(this.#key, method, url, body, onBehalf)
  }

  async call<T = Record<string, unknown>>(
    token: string,
    method: Method,
    url: string,
    body?: object,
    more: Record<string, string> = {},
  ): Promise<Result<T>> {
    const headers = { ...more, ...(token !== '' && { authorization: `Bearer ${token}` }) }
    const reply = await this.app.inject({ method, url, headers, ...(body && { payload: body }) })
    const parsed = reply.body === '' ? {} : reply.json()
    return { status: reply.statusCode, code: reply.statusCode < 300 ? 'ok' : parsed.code, body: parsed }
  }

  async #open() {
    this.app = await buildApp(
      loadConfig({
        DATABASE_URL: databaseUrl(this.#folder),
        JWT_SECRET: 'a secret that stays the same in every restart',
        LOG_LEVEL: 'silent',
        MAX_LOOP_DELAY_MS: '0',
        RATE_LIMIT_LOGIN: '0',
        RATE_LIMIT_SEND: '0',
        SOCKET_HARD_LIMIT: '1024',
      }),
    )
    // Small pages, so that every replay has several and other writes run between them.
    Object.assign(this.app.sockets, { replayPage: 2 })
    const { bus } = this.app.chat
    const publish = bus.publish
    bus.publish = (batch) => {
      if (this.#lose > 0) this.#lose -= 1
      else publish(batch)
    }
    this.url = await this.app.listen({ host: '127.0.0.1', port: 0 })
  }
}
