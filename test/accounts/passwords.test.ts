import { argon2Sync } from 'node:crypto'
import t from 'tap'
import { hashPassword, verifyPassword } from '../../src/chat/passwords.ts'
import type { AppError } from '../../src/errors.ts'

t.test('many passwords at once are checked one after the other, each rightly', async (t) => {
  const hashes = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(hashPassword))
  t.equal(new Set(hashes).size, 5)
  for (const hash of hashes) t.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  const [right, wrong, none] = await Promise.all([
    verifyPassword('a', hashes[0] as string),
    verifyPassword('a', hashes[1] as string),
    verifyPassword('a', null),
  ])
  t.strictSame([right, wrong, none], [true, false, false])
})

t.test('when too many wait the next is refused with a hint, and the others have their turn', async (t) => {
  // As many as run and wait at once, in one turn.
  const hashes = Array.from({ length: 102 }, () => hashPassword('x'))
  const attempts: Promise<unknown>[] = [hashPassword('x'), verifyPassword('x', null)]
  for (const refused of attempts) {
    const error = await t.rejects(refused, { code: 'OVERLOADED' })
    t.ok(Number((error as AppError).retryAfter) >= 1)
  }
  const [hash = ''] = await Promise.all(hashes)
  t.ok(await verifyPassword('x', hash), 'and then there is room again')
})

t.test('a hash that was made at another cost is checked at that', async (t) => {
  const nonce = Buffer.alloc(24, 7)
  const cost = { memory: 64, passes: 3, parallelism: 2, tagLength: 24 }
  const tag = argon2Sync('argon2id', { message: 'old', nonce, ...cost })
  const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
  const hash = `$argon2id$v=19$m=64,t=3,p=2$${text(nonce)}$${text(tag)}`
  t.equal(await verifyPassword('old', hash), true)
  t.equal(await verifyPassword('new', hash), false)
})
