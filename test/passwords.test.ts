import t from 'tap'
import { hashPassword, verifyPassword } from '../src/chat/passwords.ts'

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
