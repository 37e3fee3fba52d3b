import type { Test } from 'tap'
import { StorageError } from '../../db/errors.ts'
import type { Reader } from '../../db/query.ts'
import * as counter from '../../db/queries/counter.ts'
import * as messages from '../../db/queries/messages.ts'
import * as users from '../../db/queries/users.ts'
import { OPEN } from '../../db/tables.ts'
import type { Batch, Writer } from '../../db/writer.ts'
import { AppError } from '../../src/errors.ts'

export type Opened = {
  writer: Writer
  /** Reads over its own connection: it sees every commit. */
  reader: Reader
  close(): Promise<void>
}

/**
 * @param place the name of a database: the same name opens a closed database again
 * @param report receives what a listener throws
 */
export type OpenWriter = (
  place: string,
  maxQueue: number,
  report?: (error: unknown) => void,
) => Promise<Opened>

/** The contract of `Writer`. Every implementation passes these tests. */
export const writerContract = (outer: Test, open: OpenWriter) => {
  const t = outer
  let places = 0
  let pairs = 0
  let shared: Promise<Opened> | undefined

  /** Creates two users and records the commits from then on. With `own`, on a new database with its own queue. */
  const start = async (t: Test, own?: { maxQueue: number }) => {
    places += 1
    const place = `writer-${places}`
    if (!own && !shared) outer.teardown(async () => (await shared)?.close())
    const opened = await (own ? open(place, own.maxQueue) : (shared ??= open(place, 10_000)))
    if (own) t.teardown(opened.close)
    const { writer, reader } = opened
    pairs += 1
    const [alice, bob] = [await createUser(writer, `alice${pairs}`), await createUser(writer, `bob${pairs}`)]
    const batches: Batch[] = []
    writer.on('commit', (batch) => batches.push(batch))
    const head = async () => (await reader.get(counter.head, {}))?.last ?? 0
    const pair = { alice: `alice${pairs}`, bob: `bob${pairs}` }
    return {
      ...opened,
      place,
      pair,
      alice,
      bob,
      batches,
      /** The last number before this test. */
      base: await head(),
      send: (content: string, more: object = {}) =>
        writer.append('send', { sender_id: alice, receiver_username: pair.bob, content, ...more }),
      head,
      stored: async (conversation_id: number) =>
        reader.all(messages.messagesUp, { conversation_id, from: 0, to: 1e15, limit: 1e6 }),
    }
  }

  t.test('operations commit in the order of their appends', async (t) => {
    const { send, batches, stored, head, base } = await start(t)
    const settled: number[] = []
    const sent = await Promise.all(
      Array.from({ length: 300 }, async (_, n) => {
        if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
        const { message } = await send(`${n}`)
        settled.push(message.id)
        return message
      }),
    )
    t.strictSame(
      settled,
      settled.toSorted((a, b) => a - b),
      'promises settle in that order',
    )
    const rows = await stored(sent[0]?.conversation_id as number)
    t.strictSame(
      rows.map(({ id }) => id),
      settled,
    )
    let last = base
    for (const batch of batches) {
      t.equal(batch.first, last + 1, 'numbers rise without a gap')
      t.strictSame(
        batch.changes.map(({ number }) => number),
        Array.from({ length: batch.last - batch.first + 1 }, (_, n) => batch.first + n),
      )
      last = batch.last
    }
    t.equal(last, await head())
  })

  t.test('operations that wait at the same time share a commit', async (t) => {
    const { send, batches, writer } = await start(t)
    const sends = Array.from({ length: 100 }, (_, n) => send(`${n}`))
    t.equal(writer.pending, 100)
    await Promise.all(sends)
    t.equal(writer.pending, 0)
    t.equal(batches.length, 1)
  })

  t.test('a promise settles after the commit is on disk and after its listeners were called', async (t) => {
    const { send, writer, head } = await start(t)
    const committed: number[] = []
    const seen: Promise<number>[] = []
    writer.on('commit', ({ last }) => {
      committed.push(last)
      seen.push(head())
    })
    for (let n = 0; n < 20; n++) {
      const { message } = await send(`${n}`)
      t.equal(committed.at(-1), message.id, 'the listener was called')
      t.ok((await head()) >= message.id, 'another connection sees it')
    }
    const heads = await Promise.all(seen)
    t.ok(
      heads.every((last, index) => last >= (committed[index] as number)),
      'the listener could read the commit',
    )
  })

  t.test('a refused operation stores nothing and does not affect the others of its batch', async (t) => {
    const { send, batches, head, stored, base } = await start(t)
    const results = await Promise.allSettled([
      send('one'),
      send('x', { receiver_username: 'nobody' }),
      send('two'),
      send('x', { reply_to: 999_999 }),
      send('three'),
    ])
    t.strictSame(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
    )
    const [one, nobody] = results
    t.ok(nobody?.status === 'rejected' && nobody.reason instanceof AppError)
    t.match(nobody, {
      reason: { code: 'USER_NOT_FOUND', errors: [{ path: '/receiver_username' }], message: String },
    })
    t.equal(batches.length, 1)
    t.equal(await head(), base + 4, 'the conversation and three messages')
    if (one?.status !== 'fulfilled') return
    const rows = await stored(one.value.message.conversation_id)
    t.strictSame(
      rows.map(({ content }) => content),
      ['one', 'two', 'three'],
    )
  })

  t.test(
    'an operation that fails after its first write stores nothing and does not affect the others of its batch',
    async (t) => {
      const { send, batches, head, stored, writer, bob, pair } = await start(t)
      await createUser(writer, 'carol')
      const base = await head()
      batches.length = 0
      // The operation creates the conversation before the insert of the message fails.
      const broken = { receiver_username: 'carol', content: null }
      const [one, failed, two] = await Promise.allSettled([send('one'), send('', broken), send('two')])
      t.ok(failed?.status === 'rejected' && failed.reason instanceof StorageError)
      t.match(failed, { reason: { kind: 'operation' } })
      if (one?.status !== 'fulfilled' || two?.status !== 'fulfilled') throw new Error('the others failed')
      const rows = await stored(one.value.message.conversation_id)
      t.strictSame(
        rows.map(({ content }) => content),
        ['one', 'two'],
      )
      const numbers = batches.flatMap(({ changes }) => changes.map(({ number }) => number))
      t.strictSame(
        numbers,
        [base + 1, base + 2, base + 3],
        'the numbers of the failed operation are given to the next one',
      )
      t.equal(await head(), base + 3)

      await t.rejects(send('', broken), { kind: 'operation' } as object as Error, 'alone it fails too')
      const made = await send('now', { receiver_username: 'carol' })
      t.equal(made.message.id, base + 5, 'the conversation was rolled back in the caches too')
      t.not(made.message.conversation_id, one.value.message.conversation_id)
      const back = await writer.append('send', {
        sender_id: bob,
        receiver_username: pair.alice,
        content: 'back',
      })
      t.equal(back.message.conversation_id, one.value.message.conversation_id)
    },
  )

  t.test('the changes of an operation carry its origin', async (t) => {
    const { writer, alice, batches, pair } = await start(t)
    const send = (content: string, origin?: string) =>
      writer.append('send', { sender_id: alice, receiver_username: pair.bob, content }, { origin })
    await Promise.all([send('one', 'first'), send('x', 'second'), send('three')])
    const published = batches.flatMap(({ changes }) =>
      changes.map(({ event, origin }) => [event.type, origin]),
    )
    t.strictSame(published, [
      ['conversation', 'first'],
      ['message', 'first'],
      ['message', 'second'],
      ['message', undefined],
    ])
  })

  t.test('every listener of an event is called, and an error of one is reported', async (t) => {
    const reported: unknown[] = []
    const { writer, close } = await open('writer-listeners', 100, (error) => reported.push(error))
    t.teardown(close)
    const called: unknown[] = []
    const failed = new Error('the first listener fails')
    for (const event of ['commit', 'batch'] as const) {
      writer.on(event, () => {
        throw failed
      })
      writer.on(event, () => called.push(`${event} second`))
      writer.on(event, () => called.push(`${event} third`))
    }
    const alice = await createUser(writer, 'alice')
    called.length = 0
    reported.length = 0
    const input = { sender_id: alice, receiver_username: 'alice', content: 'a note' }
    t.equal((await writer.append('send', input)).duplicate, false, 'the operation succeeds')
    t.strictSame(called, ['batch second', 'batch third', 'commit second', 'commit third'])
    t.strictSame(reported, [failed, failed])
  })

  t.test('an operation that changes nothing emits no commit', async (t) => {
    const { writer, batches } = await start(t)
    await writer.append('probe', {})
    await writer.append('announceOverdue', { user_id: 1, conversation_id: 1_000_000, max_group: 32 })
    t.strictSame(batches, [])
  })

  t.test('ended tokens, removed accounts and blocks are numbered changes', async (t) => {
    const { writer, alice, bob, pair, batches, send } = await start(t)
    const { conversation_id } = (await send('hello')).message
    const { length } = batches
    const published = async (change: () => Promise<unknown>) => {
      const before = batches.length
      await change()
      return batches.slice(before).flatMap(({ changes }) => {
        for (const { audience } of changes) t.strictSame(audience, [], 'no client receives it')
        return changes.map(({ event }) =>
          Object.fromEntries(
            Object.entries(event).map(([name, value]) => [name, isNow(value) ? 'now' : value]),
          ),
        )
      })
    }
    const isNow = (value: unknown) => Math.abs(Number(value) - Date.now() / 1000) < 600
    const ended = (token_family: string, kept_token: string | null, tokens_from: number | 'now') => [
      { type: 'tokens_ended', user_id: alice, token_family, kept_token, tokens_from },
    ]
    const block = { user_id: alice, username: pair.bob }
    const token = { user_id: alice, jti: 'f.token', expires_at: Date.now() + 60_000 }
    const steps: [change: () => Promise<unknown>, events: object[]][] = [
      [() => writer.append('block', block), [{ type: 'block', user_ids: [alice, bob], conversation_id }]],
      [() => writer.append('block', block), []],
      [() => writer.append('unblock', block), [{ type: 'block', user_ids: [alice, bob], conversation_id }]],
      [() => writer.append('unblock', block), []],
      [() => writer.append('revokeToken', token), [{ type: 'token_ended', user_id: alice, jti: 'f.token' }]],
      [() => writer.append('revokeToken', token), []],
      [
        () =>
          writer.append('setPassword', {
            user_id: alice,
            checked_hash: null,
            password_hash: 'h',
            family: 'g',
            kept_token: 'f.kept',
          }),
        ended('g', 'f.kept', 0),
      ],
      [
        () => writer.append('resetPassword', { user_id: alice, password_hash: 'h', family: 'h' }),
        ended('h', null, 0),
      ],
      [() => writer.append('revokeAll', { user_id: alice, family: 'i' }), ended('i', null, 'now')],
      [
        () => writer.append('removeUser', { user_id: alice, family: 'j' }),
        [{ type: 'user', user_id: alice }, ...ended('j', null, OPEN)],
      ],
      [
        () => writer.append('revokeEverybody', { era: 'k' }),
        [{ type: 'all_tokens_ended', token_era: 'k', era_began: 'now' }],
      ],
    ]
    for (const [change, events] of steps) t.strictSame(await published(change), events)
    const numbers = batches.slice(length - 1).flatMap(({ changes }) => changes.map(({ number }) => number))
    t.strictSame(
      numbers,
      numbers.map((_, index) => (numbers[0] as number) + index),
      'with numbers of the one counter',
    )
  })

  t.test('append rejects at once when the queue is full', async (t) => {
    const { send, writer, head, base } = await start(t, { maxQueue: 5 })
    const sends = Array.from({ length: 8 }, (_, n) => send(`${n}`))
    const results = await Promise.allSettled(sends)
    const refused = results.filter((result) => result.status === 'rejected')
    t.equal(refused.length, 3)
    for (const { reason } of refused) {
      t.ok(reason instanceof AppError)
      t.match(reason, { code: 'OVERLOADED', retryAfter: 1 })
    }
    t.equal(await head(), base + 6)
    t.equal((await send('later')).message.id, base + 7, 'it accepts more when there is room')
    t.equal(writer.pending, 0)
  })

  t.test('an input that cannot be serialized is rejected alone', async (t) => {
    const { send, writer } = await start(t)
    const cyclic: { self?: unknown } = {}
    cyclic.self = cyclic
    const [one, failed, two] = await Promise.allSettled([
      send('one'),
      send('', { metadata: cyclic }),
      send('two'),
    ])
    t.match(failed, { status: 'rejected', reason: { name: 'StorageError', kind: 'operation' } })
    if (one?.status !== 'fulfilled' || two?.status !== 'fulfilled') throw new Error('the others failed')
    t.equal(two.value.message.id, one.value.message.id + 1)
    t.equal(writer.pending, 0)
  })

  t.test('the characters of waiting operations are bounded, in whichever member they are', async (t) => {
    const { writer, alice, send } = await start(t, { maxQueue: 1000 })
    const name = 'x'.repeat(4 * 1024 * 1024)
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () =>
        writer.append('createGroup', { user_id: alice, title: 'x', members: [name] }),
      ),
    )
    const codes = results.map((result) => result.status === 'rejected' && result.reason.code)
    t.strictSame(
      codes,
      Array.from({ length: 20 }, (_, n) => (n < 15 ? 'VALIDATION_FAILED' : 'OVERLOADED')),
    )
    t.equal((await send('later')).duplicate, false, 'there is room when they have settled')
  })

  t.test('heavy operations leave room for light ones', async (t) => {
    const { writer, send } = await start(t, { maxQueue: 400 })
    const heavy = (weight: number) => writer.append('probe', {}, { weight })
    const results = await Promise.allSettled([heavy(300), heavy(20), send('one'), heavy(16), send('two')])
    t.match(results, [
      { status: 'fulfilled' },
      { status: 'rejected', reason: { code: 'OVERLOADED', retryAfter: 1 } },
      { status: 'fulfilled' },
      { status: 'fulfilled' },
      { status: 'fulfilled' },
    ])
    const several = await Promise.allSettled([heavy(25), heavy(25), heavy(25)])
    t.strictSame(
      several.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected'],
      'together they may fill an eighth of the queue',
    )
  })

  t.test('a transaction ends when it weighs too much, and the rest follows in order', async (t) => {
    const { writer, send, alice, batches } = await start(t)
    const { message } = await send('short', { client_id: 'grown' })
    const content = 'x'.repeat(65_536)
    await writer.append('edit', { user_id: alice, message_id: message.id, content })
    const sizes: number[] = []
    const settled: number[] = []
    writer.on('batch', ({ size }) => sizes.push(size))
    const before = batches.length
    const results = await Promise.all(
      Array.from({ length: 300 }, async (_, n) => {
        const sent = await send(n % 2 ? 'short' : `${n}`, n % 2 ? { client_id: 'grown' } : {})
        settled.push(n)
        return sent
      }),
    )
    t.strictSame(
      settled,
      Array.from({ length: 300 }, (_, n) => n),
    )
    const duplicates = results.filter(({ duplicate }) => duplicate)
    t.equal(duplicates.length, 150)
    t.ok(duplicates.every(({ message }) => message.content === content))
    t.ok(sizes.length >= 3 && batches.length - before >= 3, `transactions of ${sizes.join(', ')}`)
    t.ok(Math.max(...sizes) * content.length < 2 * 8_388_608, 'the results of one transaction are bounded')
    t.equal(
      sizes.reduce((sum, size) => sum + size),
      300,
    )
  })

  t.test('close settles every appended operation and refuses further ones', async (t) => {
    const { send, writer, place, close, alice, pair, base } = await start(t, { maxQueue: 1000 })
    const sends = Array.from({ length: 50 }, (_, n) => send(`${n}`))
    const closed = close()
    await t.rejects(send('late'), { code: 'SHUTTING_DOWN' })
    t.equal((await Promise.all(sends)).length, 50)
    await closed
    await writer.close()
    await t.rejects(send('later'), { code: 'SHUTTING_DOWN' })

    const again = await open(place, 10)
    t.teardown(again.close)
    t.equal((await again.reader.get(counter.head, {}))?.last, base + 51)
    const next = await again.writer.append('send', {
      sender_id: alice,
      receiver_username: pair.bob,
      content: 'next',
    })
    t.equal(next.message.id, base + 52, 'numbers continue after a restart')
    t.ok(await again.reader.get(users.userByKey, { key: pair.alice }))
  })
}

const createUser = async (writer: Writer, username: string): Promise<number> => {
  const input = { username, password_hash: null, family: 'f' }
  return (await writer.append('createUser', input)).user.id
}
