import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as members from '../../db/queries/members.ts'
import { type App, buildApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'

export type Answer<T = Record<string, unknown>> = { status: number; code: string; body: T }

/** A server that can be restarted, killed, and made to lose a batch on the bus; many worlds live on it side by side. */
export class Host {
  app!: App
  url = ''
  #folder = ''
  #flusher = ''
  #lose = 0

  async start() {
    this.#folder = await mkdtemp(join(tmpdir(), 'messenger-model-'))
    await this.#open()
    this.#flusher = await this.login('flusher')
  }

  /** Stops as it should, and starts again on the same file. */
  async restart() {
    await this.app.close()
    await this.#open()
  }

  /** Starts on the file as it is now; the process that had it takes all that it has in memory with it. */
  async crash() {
    const [dead, deadFolder] = [this.app, this.#folder]
    this.#folder = await mkdtemp(join(tmpdir(), 'messenger-model-'))
    for (const suffix of ['', '-wal']) {
      cpSync(join(deadFolder, `m.db${suffix}`), join(this.#folder, `m.db${suffix}`))
    }
    await dead.close()
    rmSync(deadFolder, { recursive: true, force: true })
    await this.#open()
  }

  async stop() {
    await this.app.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** The next batch does not reach the hub. */
  loseBatch() {
    this.#lose = 1
  }

  /** Writes something of no concern to anybody: a batch that was lost shows as a gap. */
  async flush() {
    this.#lose = 0
    await this.call(this.#flusher, 'POST', '/send', { receiver_username: 'flusher', content: 'flush' })
  }

  /** Waits until no receipt waits to be announced any more. */
  async receiptsAnnounced() {
    while ((await this.app.database.reader.all(members.dueReceipts, {})).length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async login(username: string): Promise<string> {
    const { body } = await this.call<{ token: string }>('', 'POST', '/login', { username })
    return body.token
  }

  async call<T = Record<string, unknown>>(
    token: string,
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    body?: object,
  ): Promise<Answer<T>> {
    const headers = token === '' ? {} : { authorization: `Bearer ${token}` }
    const reply = await this.app.inject({ method, url, headers, ...(body && { payload: body }) })
    const parsed = reply.body === '' ? {} : reply.json()
    return { status: reply.statusCode, code: reply.statusCode < 300 ? 'ok' : parsed.code, body: parsed }
  }

  async #open() {
    this.app = await buildApp(
      loadConfig({
        DATABASE_URL: `sqlite:${join(this.#folder, 'm.db')}`,
        JWT_SECRET: 'a secret that outlives every one of the restarts',
        LOG_LEVEL: 'silent',
        MAX_LOOP_DELAY_MS: '0',
        RATE_LIMIT_LOGIN: '0',
        RATE_LIMIT_SEND: '0',
        SOCKET_HARD_LIMIT: '1024',
      }),
    )
    const due = await this.app.database.reader.all(members.dueReceipts, {})
    assert.equal(due.length, 0, 'what the one before had not announced is announced at the start')
    // Small pages: every replay has several, and others write between them.
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
