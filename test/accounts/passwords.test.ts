import { argon2Sync } from 'node:crypto'
import t from 'tap'
import { hashPassword, verifyPassword } from '../../src/chat/passwords.ts'
import type { AppError } from '../../src/errors.ts'

t.test('concurrent password checks run in turn and each returns its own result', async (t) => {
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

t.test('a password check is refused with a retry hint when the queue is full', async (t) => {
  // As many as run and wait at the same time, started in one turn.
  const hashes = Array.from({ length: 102 }, () => hashPassword('x'))
  const attempts: Promise<unknown>[] = [hashPassword('x'), verifyPassword('x', null)]
  for (const refused of attempts) {
    const error = await t.rejects(refused, { code: 'OVERLOADED' })
    t.ok(Number((error as AppError).retryAfter) >= 1)
  }
  const [hash = ''] = await Promise.all(hashes)
  t.ok(await verifyPassword('x', hash), 'the queue has room again')
})

t.test('a hash made at another cost is verified at that cost', async (t) => {
  const nonce = Buffer.alloc(24, 7)
  const cost = { memory: 64, passes: 3, parallelism: 2, tagLength: 24 }
  const tag = argon2Sync('argon2id', { message: 'old', nonce, ...cost })
  const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
  const hash = `$argon2id$v=19$m=64,t=3,p=2$${text(nonce)}$${text(tag)}`
  t.equal(await verifyPassword('old', hash), true)
  t.equal(await verifyPassword('new', hash), false)
})
