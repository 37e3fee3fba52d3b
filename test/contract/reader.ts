import type { Test } from 'tap'
import * as counter from '../../db/queries/counter.ts'
import * as users from '../../db/queries/users.ts'
import type { Reader, Reads } from '../../db/query.ts'
import type { Writer } from '../../db/writer.ts'

export type OpenReader = (t: Test) => Promise<{
  reader: Reader
  writer: Writer
  /** Commits operations, which use this many numbers, between two reads of a snapshot. */
  commitBetween(numbers: number, operations: ((writer: Writer) => Promise<unknown>)[]): Promise<void>
}>

/** The contract of `Reader`. Every implementation passes these tests. */
export const readerContract = async (t: Test, open: OpenReader) => {
  const { reader, writer, commitBetween } = await open(t)
  const head = async (read: Reads) => (await read.get(counter.head, {}))?.last
  const note = { sender_id: 1, receiver_username: 'alice', content: 'a note' }
  await writer.append('createUser', { username: 'alice', password_hash: null, family: 'f' })
  await writer.append('send', note)

  t.test('all reads of a snapshot see one moment, whatever is committed between them', async (t) => {
    const before = await head(reader)
    const seen = await reader.snapshot(async (read) => {
      const first = await head(read)
      await commitBetween(2, [
        (to) => to.append('send', note),
        (to) => to.append('send', note),
        (to) => to.append('createUser', { username: 'bob', password_hash: null, family: 'f' }),
      ])
      return [first, await head(read), await read.all(users.userByKey, { key: 'bob' })]
    })
    t.strictSame(seen, [before, before, []])
    await writer.append('probe', {})
    t.equal(await reader.snapshot(head), (before as number) + 3, 'the next snapshot sees the commit')
  })

  t.test('a snapshot sees every commit whose batch was emitted before it', async (t) => {
    const seen: Promise<number | undefined>[] = []
    const published: number[] = []
    let isDone = false
    writer.on('commit', ({ last }) => {
      if (isDone) return
      published.push(last)
      seen.push(reader.snapshot(head))
    })
    for (let sends = 0; sends < 5; sends += 1) {
      await reader.snapshot(head)
      await writer.append('send', note)
    }
    isDone = true
    const heads = await Promise.all(seen)
    t.equal(heads.length, 5)
    t.ok(heads.every((last, index) => (last as number) >= (published[index] as number)))
  })

  t.test('a snapshot returns what its body returns, and rejects with what it throws', async (t) => {
    t.equal(await reader.snapshot(async () => 'a value'), 'a value')
    const error = new Error('of the body')
    await t.rejects(
      reader.snapshot(async () => {
        throw error
      }),
      error,
    )
  })

  t.test('a read after its snapshot has ended rejects and names the bug', async (t) => {
    const late = { message: /must await nothing but the reads of the snapshot/ } as object as Error
    let kept: Reads | undefined
    await reader.snapshot(async (read) => {
      kept = read
      await head(read)
    })
    await t.rejects(head(kept as Reads), late)
    await t.rejects((kept as Reads).all(users.userById, { id: 1 }), late)
    t.ok(await head(reader), 'the reader itself still reads')
  })
}
