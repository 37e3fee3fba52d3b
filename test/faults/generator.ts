import { LoadSocket } from '../../bench/load/socket.ts'
import { begin, job } from './fork.ts'
import { HttpSender } from './http.ts'
import type { Generated, Job } from './pressure.ts'

/** Unsent bytes of a socket above which new messages are held back, because the server reads more slowly. */
const HELD = 65_536
const EACH_MS = 5
/** Connections of one user, each with one request in flight. Further requests are held back. */
const CONNECTIONS = 4

/**
 * Sends over many sockets or connections. With a `window` each client keeps that many messages in flight. With a `rate` all
 * clients together send that many messages a second, independent of the replies.
 */
const { port, transport, users, window, rate } = job() as Job
const counts: Generated = { offered: 0, accepted: 0, refused: 0, held: 0, violations: [] }
let isDone = false

/** Sends `count` messages, or holds them back while the server has not read the earlier ones. */
type Client = (count: number) => void

type User = Job['users'][number]

const textOf = ({ name }: User) => JSON.stringify({ receiver_username: name, content: 'x'.repeat(100) })

const refused = (hint: string | undefined, text: string, again: () => void) => {
  counts.refused += 1
  if (hint) setTimeout(again, Number(hint) * 1000)
  else counts.violations.push(text)
}

const openSocket = async (user: User): Promise<Client> => {
  const text = textOf(user)
  const again = () => {
    if (isDone || !window) return
    counts.offered += 1
    socket.send([text])
  }
  const socket = await LoadSocket.open(port, user.token, (data, start, end) => {
    const frame = data.toString('latin1', start, Math.min(end, start + 200))
    if (frame.startsWith('{"type":"ack"')) {
      counts.accepted += 1
      again()
    } else if (frame.startsWith('{"type":"error"')) {
      refused(/"retryable":true,"retry_after":([1-9]\d*)/.exec(frame)?.[1], frame, again)
    }
  })
  return (count) => {
    counts.offered += count
    if (socket.unsent > HELD) counts.held += count
    else socket.send(Array.from({ length: count }, () => text))
  }
}

const openHttp = async (user: User): Promise<Client> => {
  const client = (count: number) => {
    const free = senders.filter(({ isIdle }) => isIdle).slice(0, count)
    counts.offered += count
    counts.held += count - free.length
    for (const sender of free) sender.send()
  }
  const again = () => {
    if (!isDone && window) client(1)
  }
  const senders = Array.from(
    { length: CONNECTIONS },
    () =>
      new HttpSender(port, user.token, textOf(user), (status, head) => {
        if (status === 200) {
          counts.accepted += 1
          again()
        } else refused(status === 503 ? /retry-after: ([1-9]\d*)/i.exec(head)?.[1] : undefined, head, again)
      }),
  )
  for (const { connected } of senders) await connected
  return client
}

// In sequence: connections above the accept queue of the kernel are retried seconds later.
const clients: Client[] = []
for (const user of users) clients.push(await (transport === 'http' ? openHttp : openSocket)(user))
// Every generator connects all clients before any of them sends.
await begin('connected')
const started = performance.now()
if (window) for (const client of clients) client(window)
let turn = 0
const offer = () => {
  const due = Math.floor((rate * (performance.now() - started)) / 1000) - counts.offered
  // Due messages go to the clients in turn, several to one client in one write.
  const each = Math.max(1, Math.ceil((due * 4) / clients.length))
  for (let left = due; left > 0; left -= each) {
    const client = clients[turn] as Client
    turn = (turn + 1) % clients.length
    client(Math.min(each, left))
  }
}
if (rate) setInterval(offer, EACH_MS)
const end = await begin('sending')
isDone = true
end(counts)
