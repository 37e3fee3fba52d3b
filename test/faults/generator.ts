import { LoadSocket } from '../../bench/load/socket.ts'
import { begin, job } from './fork.ts'
import { HttpSender } from './http.ts'
import type { Generated, Job } from './pressure.ts'

/** Bytes that a socket may have unsent before nothing more is offered to it: the server reads it no faster. */
const HELD = 65_536
const EACH_MS = 5
/** Connections of one person: as many requests can be in flight, past that they are held. */
const CONNECTIONS = 4

/**
 * Sends over many sockets or connections: with a `window` as many as are answered, each having so many in flight; with a
 * `rate` so many a second, whatever comes back. A connection has one request in flight at most.
 */
const { port, door, people, window, rate } = job() as Job
const counts: Generated = { offered: 0, accepted: 0, refused: 0, held: 0, wrong: [] }
let isOver = false

/** Sends `count` messages, unless the server does not take what was sent before. */
type Client = (count: number) => void

type Person = Job['people'][number]

const textOf = ({ name }: Person) => JSON.stringify({ receiver_username: name, content: 'x'.repeat(100) })

const refused = (hint: string | undefined, text: string, again: () => void) => {
  counts.refused += 1
  if (hint) setTimeout(again, Number(hint) * 1000)
  else counts.wrong.push(text)
}

const openSocket = async (person: Person): Promise<Client> => {
  const text = textOf(person)
  const again = () => {
    if (isOver || !window) return
    counts.offered += 1
    socket.send([text])
  }
  const socket = await LoadSocket.open(port, person.token, (data, start, end) => {
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

const openHttp = async (person: Person): Promise<Client> => {
  const client = (count: number) => {
    const free = senders.filter(({ isIdle }) => isIdle).slice(0, count)
    counts.offered += count
    counts.held += count - free.length
    for (const sender of free) sender.send()
  }
  const again = () => {
    if (!isOver && window) client(1)
  }
  const senders = Array.from(
    { length: CONNECTIONS },
    () =>
      new HttpSender(port, person.token, textOf(person), (status, head) => {
        if (status === 200) {
          counts.accepted += 1
          again()
        } else refused(status === 503 ? /retry-after: ([1-9]\d*)/i.exec(head)?.[1] : undefined, head, again)
      }),
  )
  for (const { connected } of senders) await connected
  return client
}

// One by one: more at once than the kernel queues for the server would have to knock again, seconds later.
const clients: Client[] = []
for (const person of people) clients.push(await (door === 'http' ? openHttp : openSocket)(person))
// Nobody sends before all of all generators are connected.
await begin('connected')
const started = performance.now()
if (window) for (const client of clients) client(window)
let turn = 0
const offer = () => {
  const due = Math.floor((rate * (performance.now() - started)) / 1000) - counts.offered
  // What is due now goes to the sockets in turn, those of one in one write.
  const each = Math.max(1, Math.ceil((due * 4) / clients.length))
  for (let left = due; left > 0; left -= each) {
    const client = clients[turn] as Client
    turn = (turn + 1) % clients.length
    client(Math.min(each, left))
  }
}
if (rate) setInterval(offer, EACH_MS)
const end = await begin('sending')
isOver = true
end(counts)
