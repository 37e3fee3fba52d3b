import t from 'tap'
import type { Me, User } from '../../schemas/account.ts'
import { startServer } from '../support/server.ts'

t.test('user search', async (t) => {
  const { login } = await startServer(t)
  const anna = await login('Anna')
  for (const name of ['anton', 'Änne', 'bob', 'Straße', 'ΟΔΟΣΑ', 'an.other']) await login(name)
  const find = async (prefix: string, more = '') =>
    (
      await anna.call<{ users: User[] }>('GET', `/users?prefix=${encodeURIComponent(prefix)}${more}`)
    ).body.users.map(({ username }) => username)

  t.strictSame(await find('an'), ['an.other', 'Anna', 'anton'])
  t.strictSame(await find('AN', '&limit=2'), ['an.other', 'Anna'], 'the search ignores case and has a limit')
  t.strictSame(await find('a\u0308'), ['Änne'], 'the search accepts either normal form')
  t.strictSame(await find('STRASS'), ['Straße'])
  t.strictSame(await find('οδος'), ['ΟΔΟΣΑ'], 'a final sigma in the prefix matches a sigma inside a word')
  t.strictSame(await find('zz'), [])
  t.equal((await find('')).length, 7, 'an empty prefix finds every user')
  t.strictSame((await anna.call<Me>('GET', '/users/me')).body, {
    id: anna.id,
    username: 'Anna',
    has_password: false,
  })
})
