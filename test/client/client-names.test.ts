import fc from 'fast-check'
import t from 'tap'
import { foldName } from '../../client/src/index.ts'
import { foldName as serverFold, isUsername } from '../../db/names.ts'

t.test('the client folds every name as the server does', (t) => {
  const isSame = (name: string) => foldName(name) === serverFold(name)
  const characters = Array.from({ length: 0x11_00_00 }, (_, code) => String.fromCodePoint(code))
  t.strictSame(
    characters.filter((character) => isUsername(character) && !isSame(character)),
    [],
    'each character that a name may have',
  )
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 64 }), isSame))
  // The characters whose folding depends on their neighbours or on the normal form, and both cases of some others.
  const character = fc.constantFrom(...'aAßẞsSσςΣοΟıİiIǅﬁΐ\u0300\u0301\u0308\u0345\u1e9b')
  fc.assert(fc.property(fc.string({ unit: character, maxLength: 64 }), isSame), { numRuns: 10_000 })
  t.end()
})
