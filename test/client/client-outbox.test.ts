import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { fileStorage } from '../../client/src/file-storage.ts'
import { memoryStorage, type MessengerError } from '../../client/src/index.ts'
import { collect, createMessenger, next, nextState, open } from '../support/client.ts'
import { startServer } from '../support/server.ts'

/** @returns the code of the error with which it ends */
const codeOf = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (error: MessengerError) => error.code,
  )

t.test('what was not sent is kept, and sent once by the next client of the same storage', async (t) => {
  const { url, folder, login } = await startServer(t)
  const file = join(folder, 'alice.jsonl')
  const bob = await login('bob')
  const offline = createMessenger(t, {
    url: 'http://127.0.0.1:1',
    username: 'alice',
    storage: fileStorage(file),
  })
  const client_id = 'mine'
  const sending = offline.send({ receiver_username: 'bob', content: '1', client_id })
  const same = offline.send({ receiver_username: 'bob', content: '1', client_id })
  const second = offline.send({ receiver_username: 'bob', content: '2' })
  const connecting = offline.connect()
  await nextState(offline, 'waiting')
  t.match(offline.outbox, [{ client_id }, { content: '2' }])
  const [closing, ...ends] = [offline.close(), ...[sending, same, second, connecting].map(codeOf)]
  t.strictSame(
    await Promise.all(ends),
    Array.from({ length: 4 }, () => 'CLOSED'),
  )
  await closing
  await t.rejects(offline.send({ receiver_username: 'bob', content: '3' }), { code: 'CLOSED' })
  await t.rejects(offline.connect(), { code: 'CLOSED' })

  await appendFile(file, '{"put":{"client_id":"torn')
  const alice = createMessenger(t, { url, username: 'alice', storage: fileStorage(file) })
  const sent = new Promise((resolve) => {
    alice.on('outbox', () => alice.outbox.length === 0 && resolve(undefined))
  })
  await open(alice)
  await sent
  t.match(await bob.history('alice'), [{ content: '1' }, { content: '2' }])
  const live = next(alice, 'message')
  await bob.send('alice', 'while here')
  await live
  await alice.close()
  t.notMatch(await readFile(file, 'utf8'), 'torn')

  await bob.send('alice', 'while away')
  const back = createMessenger(t, { url, username: 'alice', storage: fileStorage(file) })
  const missed = next(back, 'message')
  await open(back)
  t.match(await missed, { content: 'while away' }, 'the first event is the first that was not seen')

  const other = createMessenger(t, { url, username: 'bob', storage: fileStorage(file) })
  await t.rejects(other.connect(), { code: 'STORAGE_IN_USE' }, 'nobody sends what another has written')
  t.equal(other.state, 'stopped')
})

t.test('what the server will never take leaves the outbox with its problem', async (t) => {
  const { url } = await startServer(t, { MAX_MESSAGE_LENGTH: '10' })
  const alice = await open(createMessenger(t, { url, username: 'alice' }))
  const failed = collect(alice, 'send_failed')
  const states = collect(alice, 'state')
  const send = (more: object) => alice.send({ receiver_username: 'alice', content: 'x', ...more })
  await t.rejects(send({ receiver_username: 'nobody' }), { code: 'USER_NOT_FOUND', problem: { status: 404 } })
  await t.rejects(alice.send({ content: 'to whom?' }), { code: 'VALIDATION_FAILED' })
  for (let count = 0; count < 12; count += 1) {
    await t.rejects(send({ content: 'x'.repeat(11) }), { code: 'VALIDATION_FAILED' })
  }
  await t.rejects(send({ metadata: { long: 'x'.repeat(2000) } }), { code: 'VALIDATION_FAILED' })
  await t.rejects(send({ receiver_username: 'x'.repeat(20_000) }), { code: 'PAYLOAD_TOO_LARGE' })
  for (const content of ['', 'x'.repeat(11)])
    await t.rejects(alice.edit(1, content), { code: 'VALIDATION_FAILED' })
  for (const more of [{ client_id: 'x'.repeat(65) }, { client_id: '' }, { client_id: 'é' }, { content: '' }])
    await t.rejects(send(more), { code: 'VALIDATION_FAILED' })
  t.match(await send({ client_id: ' '.repeat(64) }), { id: Number })
  t.equal(failed.length, 20)
  t.equal(alice.outbox.length, 0)
  await send({ content: '🎈'.repeat(10), metadata: { kind: 'balloons' } })
  t.strictSame(states, [], 'and none of it cost the connection')
})

t.test('over a limit it waits as long as it is told, and the order stays', async (t) => {
  const { url, login } = await startServer(t, { RATE_LIMIT_SEND: '30', SOCKET_FRAMES_PER_SECOND: '20' })
  const bob = await login('bob')
  const alice = await open(createMessenger(t, { url, username: 'alice' }))
  const contents = Array.from({ length: 33 }, (_, index) => String(index))
  const sent = await Promise.all(contents.map((content) => alice.send({ receiver_username: 'bob', content })))
  t.match(
    (await bob.history('alice')).map(({ content }) => content),
    contents,
  )
  const [first] = sent
  t.match(await alice.edit(first?.id as number, 'edited'), { content: 'edited' }, 'requests wait as well')
})

t.test('a storage that fails is told, and a message that it cannot keep is not sent', async (t) => {
  const { url } = await startServer(t)
  const storage = {
    ...memoryStorage(),
    put: () => {
      throw new Error('the quota is used up')
    },
    setCursor: () => Promise.reject(new Error('the quota is used up')),
  }
  const alice = createMessenger(t, { url, username: 'alice', storage })
  const failed = next(alice, 'storage_failed')
  await alice.connect()
  t.match((await failed).error, { code: 'STORAGE' })
  await t.rejects(alice.send({ receiver_username: 'alice', content: 'x' }), { code: 'STORAGE' })
  t.equal(alice.outbox.length, 0)
})
