import t from 'tap'
import type { Epoch } from '../../db/database.ts'
import { createCursors } from '../../src/chat/cursors.ts'

t.test('cursors follow epochs that begin while the server runs', async (t) => {
  const epochs: Epoch[] = [
    { name: 'one', first: 1 },
    { name: 'two', first: 11 },
  ]
  const cursors = createCursors(epochs)
  t.equal(cursors.format(15), 'two.15')
  t.equal(cursors.parse('one.10', 20), 10)
  t.equal(cursors.parse('one.11', 20), undefined, 'the number belongs to a later epoch')
  t.equal(cursors.parse('two.20', 20), 20)
  t.equal(cursors.parse('two.21', 20), undefined, 'the number is above the head')
  t.equal(cursors.parse('three.16', 20), undefined)

  epochs.push({ name: 'three', first: 16 })
  t.equal(cursors.format(17), 'three.17')
  t.equal(cursors.parse('two.15', 20), 15)
  t.equal(cursors.parse('two.16', 20), undefined)
  t.equal(cursors.parse('three.16', 20), 16)
})
