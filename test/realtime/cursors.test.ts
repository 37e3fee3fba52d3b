import t from 'tap'
import { toHead } from '../../db/epochs.ts'
import { createCursors } from '../../src/chat/cursors.ts'

t.test('cursors follow epochs that begin while the server runs', async (t) => {
  const epochs = [
    { name: 'one', first: 1 },
    { name: 'two', first: 11 },
  ]
  let published = 'two'
  const cursors = createCursors({ epoch: () => published, head: async () => toHead(20, epochs) })
  const early = await cursors.head()
  t.equal(cursors.format(15), 'two.15')
  t.equal(cursors.format(15, early), 'two.15')
  t.equal(cursors.parse('one.10', early), 10)
  t.equal(cursors.parse('one.11', early), undefined, 'the number belongs to a later epoch')
  t.equal(cursors.parse('two.20', early), 20)
  t.equal(cursors.parse('two.21', early), undefined, 'the number is above the head')
  t.equal(cursors.parse('three.16', early), undefined)

  epochs.push({ name: 'three', first: 16 })
  const late = await cursors.head()
  t.equal(cursors.format(17, late), 'three.17')
  t.equal(cursors.format(15), 'two.15', 'the writer does not know of the epoch yet')
  published = 'three'
  t.equal(cursors.format(17), 'three.17')
  t.equal(cursors.parse('two.15', late), 15)
  t.equal(cursors.parse('two.16', late), undefined)
  t.equal(cursors.parse('three.16', late), 16)
})
