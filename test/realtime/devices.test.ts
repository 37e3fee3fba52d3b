import t from 'tap'
import type { ServerFrame } from '../../schemas/server-frames.ts'
import { startServer } from '../support/server.ts'
import { headOf } from '../support/stream.ts'

const without = ({ cursor: _, ...frame }: ServerFrame & { cursor?: string }) => frame

t.test('a user’s other devices receive each change, live and after a resume', async (t) => {
  const server = await startServer(t)
  const alice = await server.login('alice')
  const bob = await server.login('bob')
  const first = await bob.send('alice', 'hello')
  const cursor = await headOf(alice)
  const [phone, laptop, peer] = [await alice.connect(), await alice.connect(), await bob.connect()]
  const keyed = { receiver_username: 'bob', content: 'over the socket', client_id: 'key-1' }

  const sent = await phone.request(keyed)
  if (sent.type !== 'ack' || !sent.message) throw new Error('sent')
  const { id } = sent.message
  t.match(
    await laptop.wait('message', (frame) => frame.id === id),
    { cursor: sent.cursor, content: 'over the socket', client_id: 'key-1' },
    'a message that one device sends, with its key',
  )
  t.notOk(
    'client_id' in (await peer.wait('message', (frame) => frame.id === id)),
    'other users do not see the key',
  )
  const viaHttp = await alice.send('bob', 'over HTTP')
  for (const device of [phone, laptop]) {
    t.match(await device.wait('message', (frame) => frame.id === viaHttp.id), { content: 'over HTTP' })
  }

  const edited = await phone.request({ type: 'edit', message_id: id, content: 'edited' })
  t.match(edited, { type: 'ack', message: { content: 'edited', client_id: 'key-1' } })
  t.match(await laptop.wait('message_updated'), { id, content: 'edited', client_id: 'key-1' })
  await phone.request({ type: 'delete', message_id: id })
  t.match(await laptop.wait('message_updated', ({ deleted_at }) => deleted_at !== undefined), {
    id,
    content: '',
  })
  const read = await phone.request({
    type: 'receipt',
    conversation_id: first.conversation_id,
    read_up_to: first.id,
  })
  t.match(read, { type: 'ack', receipt: { read_up_to: first.id } })
  t.match(await laptop.wait('receipt'), { username: 'alice', read_up_to: first.id })
  await phone.settle()
  t.notOk(
    phone.frames.some(({ type }) => type === 'message_updated' || type === 'receipt'),
    'the acting device receives acks instead',
  )
  const cursors = phone.frames.flatMap((frame) =>
    'cursor' in frame ? [Number(frame.cursor?.split('.')[1])] : [],
  )
  t.strictSame(
    cursors,
    cursors.toSorted((a, b) => a - b),
    'the acks are ordered with the other frames',
  )

  const tablet = await alice.connect({ cursor })
  await tablet.wait('caught_up')
  t.match(tablet.frames.slice(1), [
    { type: 'message', id, content: '', client_id: 'key-1' },
    { type: 'message', id: viaHttp.id },
    { type: 'message_updated', id, content: '' },
    { type: 'receipt', username: 'alice', read_up_to: first.id },
    { type: 'caught_up' },
  ])
  await laptop.settle()
  const known = (frames: ServerFrame[]) =>
    new Map(frames.map((frame) => [frame.type as string, without(frame)]))
  for (const type of ['message_updated', 'receipt']) {
    t.strictSame(known(tablet.frames).get(type), known(laptop.frames).get(type), `the last ${type} is equal`)
  }
})
