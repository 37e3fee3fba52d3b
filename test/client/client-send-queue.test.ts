import t from 'tap'
import { type ClientFrame, type FrameOf, MessengerError } from '../../client/src/index.ts'
import { SendQueue } from '../../client/src/send-queue.ts'
import { limits, stored } from '../support/fake-socket.ts'

t.test('SendQueue sends one message of a conversation at a time, addressed by name or by id', async (t) => {
  const sent: ClientFrame[] = []
  const queue = new SendQueue({ onSent: () => {}, onRejected: () => {} })
  const contents = () => sent.map((frame) => ('content' in frame ? frame.content : frame.type))
  const send = (content: string, to: object) => {
    const promise = queue.add({ ...to, content, client_id: content })
    queue.markStored(content)
    return promise
  }
  queue.connected(limits, (frame) => sent.push(frame))
  const first = send('1', { receiver_username: 'bob' })
  queue.linkConversation('Bob', 7)
  const second = send('2', { conversation_id: 7 })
  send('3', { conversation_id: 8 }).catch(() => {})
  t.strictSame(contents(), ['1', '3'])
  queue.handleAck({ type: 'ack', id: '1', message: stored(1) })
  await first
  t.strictSame(contents(), ['1', '3', '2'])
  queue.disconnected()
  queue.markStored('unknown')
  queue.connected(limits, (frame) => sent.push(frame))
  t.strictSame(contents().slice(3), ['2', '3'], 'in the order of the calls')
  queue.handleAck({ type: 'ack', id: '2', message: stored(2) })
  await second
  queue.close({} as never)
  t.end()
})

t.test('SendQueue repeats a request after the pause that a retryable error asks for', async (t) => {
  const sent: ClientFrame[] = []
  let onFrame = () => {}
  const queue = new SendQueue({ onSent: () => {}, onRejected: () => {} })
  queue.connected(limits, (frame) => {
    sent.push(frame)
    onFrame()
  })
  const problem = { code: 'OVERLOADED', detail: '', status: 503, title: '', type: '', request_id: '' }
  const busy = (id: string): FrameOf<'error'> => ({
    type: 'error',
    id,
    retryable: true,
    retry_after: 0,
    problem,
  })
  const answer = queue.request({ type: 'delete', message_id: 1 })
  const [asked] = sent as { id: string }[]
  const again = new Promise<void>((resolve) => {
    onFrame = resolve
  })
  queue.handleError(busy((asked as { id: string }).id))
  await again
  t.strictSame(sent[1], sent[0])
  queue.handleError(busy('unknown'))
  queue.handleError({ ...busy('unknown'), retryable: false })
  queue.handleAck({ type: 'ack', id: 'unknown' })
  queue.handleAck({ type: 'ack', id: (asked as { id: string }).id })
  t.match(await answer, { type: 'ack' })
  queue.handleAck({ type: 'ack' })
  queue.close({} as never)
})

t.test(
  'SendQueue keeps what the server refuses because of a suspension for the next connection',
  async (t) => {
    const sent: ClientFrame[] = []
    const queue = new SendQueue({ onSent: () => {}, onRejected: () => t.fail('the message left the queue') })
    let onFrame = () => {}
    const open = () =>
      queue.connected(limits, (frame) => {
        sent.push(frame)
        onFrame()
      })
    open()
    const stored = queue.add({ receiver_username: 'bob', content: 'hello', client_id: 'c' })
    queue.markStored('c')
    const problem = {
      code: 'ACCOUNT_SUSPENDED',
      detail: '',
      status: 403,
      title: '',
      type: '',
      request_id: '',
    }
    queue.handleError({ type: 'error', id: 'c', retryable: false, problem })
    t.equal(sent.length, 1, 'it is not repeated over the connection that is about to close')
    queue.disconnected()
    const again = new Promise<void>((resolve) => (onFrame = resolve))
    open()
    await again
    const [first, second] = sent
    t.strictSame(second, first)
    queue.close(new MessengerError('CLOSED', 'closed'))
    await t.rejects(stored, { code: 'CLOSED' })
  },
)

t.test('SendQueue sends the changes of one message one at a time, in the order of the calls', async (t) => {
  const sent: string[] = []
  const ids = new Map<string, string>()
  let onFrame = () => {}
  const queue = new SendQueue({ onSent: () => {}, onRejected: () => {} })
  const open = () =>
    queue.connected(limits, (frame) => {
      const name = 'content' in frame ? frame.content : (frame.type as string)
      sent.push(name)
      ids.set(name, frame.id as string)
      onFrame()
    })
  const went = () => sent.splice(0)
  const refuse = (name: string, retryable: boolean) =>
    queue.handleError({
      type: 'error',
      id: ids.get(name),
      retryable,
      retry_after: 0.01,
      problem: { code: 'OVERLOADED', detail: '', status: 503, title: '', type: '', request_id: '' },
    })
  const accept = (name: string) => queue.handleAck({ type: 'ack', id: ids.get(name) })
  const edit = (message_id: number, content: string) => queue.request({ type: 'edit', message_id, content })

  const [first, second] = [edit(1, 'first'), edit(1, 'second')]
  const others = [edit(2, 'another'), edit(3, 'third')]
  const deleted = queue.request({ type: 'delete', message_id: 1 })
  open()
  t.strictSame(
    went(),
    ['first', 'another', 'third'],
    'one change per message, and changes of other messages in between',
  )
  const again = new Promise<void>((resolve) => {
    onFrame = () => sent.length === 3 && resolve()
  })
  for (const name of ['first', 'third', 'another']) refuse(name, true)
  await again
  t.strictSame(went(), ['first', 'another', 'third'], 'requests that were refused for now keep their order')
  accept('another')
  accept('first')
  t.strictSame(went(), ['second'])
  queue.disconnected()
  open()
  t.strictSame(went(), ['second', 'third'], 'also after a reconnection')
  refuse('second', false)
  await t.rejects(second, { code: 'OVERLOADED' })
  t.strictSame(went(), ['delete'], 'the next change follows a change that was refused for good')
  accept('third')
  const last = edit(1, 'last')
  t.strictSame(went(), [])
  await Promise.all([first, ...others])
  queue.close(new MessengerError('CLOSED', ''))
  for (const waiting of [deleted, last]) await t.rejects(waiting, { code: 'CLOSED' })
})
