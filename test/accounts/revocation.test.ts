import t from 'tap'
import type { Session } from '../../schemas/account.ts'
import { revokeEveryToken } from '../../src/chat/administration.ts'
import { person, startServer } from '../support/server.ts'
import { rows, TABLES } from '../support/test-database.ts'

t.test(
  'ending the tokens of all accounts writes the same number of rows for any number of accounts',
  async (t) => {
    const { app, folder, login } = await startServer(t, { RATE_LIMIT_LOGIN: '0' })
    const readTable = async (table: string) =>
      new Set((await rows(folder, `select * from ${table}`)).map((row) => JSON.stringify(row)))
    const readAll = async () =>
      new Map(await Promise.all(TABLES.map(async (name) => [name, await readTable(name)] as const)))
    let accounts = 0
    for (const count of [2, 40]) {
      for (; accounts < count; accounts += 1) await login(`user-${accounts}`)
      const before = await readAll()
      await revokeEveryToken(app.chat)
      const written = new Map<string, number>()
      for (const [name, after] of await readAll()) {
        const changed = after.difference(before.get(name) as Set<string>).size
        if (changed > 0) written.set(name, changed)
      }
      t.equal(before.get('users')?.size, count)
      t.strictSame(
        written,
        new Map([
          ['token_eras', 1],
          ['counter', 1],
        ]),
        `${count} accounts`,
      )
    }
  },
)

t.test(
  'ending the tokens of all accounts ends tokens of every kind, and none that is issued afterwards',
  async (t) => {
    const env = { RATE_LIMIT_LOGIN: '0' }
    const first = await startServer(t, env)
    const password = 'correct horse'
    let server = first
    for (const round of ['one', 'two']) {
      const alice = await server.login('alice')
      const renewed = person(t, server.url, (await alice.call<Session>('POST', '/token')).body)
      const bob = await server.login(`bob-${round}`)
      // The only token of its family that the change of the password keeps.
      t.equal((await bob.call('PUT', '/users/me/password', { password })).status, 204)
      const again = await server.login(`bob-${round}`, password)
      const all = [alice, renewed, bob, again]
      const sockets = await Promise.all(all.map((user) => user.connect()))
      for (const user of all) t.equal((await user.call('GET', '/users/me')).status, 200)

      await revokeEveryToken(server.app.chat)
      for (const { closed } of sockets) t.match(await closed, { code: 4401 })
      for (const user of all) t.match(await user.call('GET', '/users/me'), { status: 401 })

      const fresh = [
        await server.login('alice'),
        await server.login(`bob-${round}`, password),
        await server.login(`carol-${round}`),
      ]
      const [, hers] = fresh as [unknown, (typeof fresh)[number]]
      const change = { password: 'battery staple', current_password: password }
      t.equal((await hers.call('PUT', '/users/me/password', change)).status, 204)
      await server.app.close()
      server = await startServer(t, env, first.folder)
      for (const { session } of fresh) {
        t.equal(
          (await person(t, server.url, session).call('GET', '/users/me')).status,
          200,
          'after a restart',
        )
      }
      for (const { session } of all) {
        t.equal((await person(t, server.url, session).call('GET', '/users/me')).status, 401)
      }
    }
  },
)
