import { LoadSocket } from '../../bench/load/socket.ts'
import { begin, job } from './fork.ts'
import type { Generated, Job } from './pressure.ts'

/** Bytes that a socket may have unsent before nothing more is offered to it: the server reads it no faster. */
const HELD = 65_536
const EACH_MS = 5

/**
 * Sends over many sockets: with a `window` as many as are answered, each socket having so many in flight; with a `rate`
 * so many a second, whatever comes back.
 */
const { port, people, window, rate } = job() as Job
const counts: Generated = { offered: 0, accepted: 0, refused: 0, held: 0, wrong: [] }
let isOver = false

type Client = { socket: LoadSocket; text: string }

const open = async ({ token, name }: Job['people'][number]): Promise<Client> => {
  const text = JSON.stringify({ receiver_username: name, content: 'x'.repeat(100) })
  const again = () => {
    if (isOver || !window) return
    counts.offered += 1
    socket.send([text])
  }
  const socket = await LoadSocket.open(port, token, (data, start, end) => {
    const frame = data.toString('latin1', start, Math.min(end, start + 200))
    if (frame.startsWith('{"type":"ack"')) {
      counts.accepted += 1
      again()
    } else if (frame.startsWith('{"type":"error"')) {
      counts.refused += 1
      const hint = /"retryable":true,"retry_after":([1-9]\d*)/.exec(frame)?.[1]
      if (hint) setTimeout(again, Number(hint) * 1000)
      else counts.wrong.push(frame)
    }
  })
  return { socket, text }
}

const clients = await Promise.all(people.map(open))
// Nobody sends before all of all generators are connected.
await begin('connected')
const started = performance.now()
if (window) {
  for (const { socket, text } of clients) {
    counts.offered += window
    socket.send(Array.from({ length: window }, () => text))
  }
}
let turn = 0
const offer = () => {
  const due = Math.floor((rate * (performance.now() - started)) / 1000) - counts.offered
  // What is due now goes to the sockets in turn, those of one in one write.
  const each = Math.max(1, Math.ceil((due * 4) / clients.length))
  for (let left = due; left > 0; left -= each) {
    const { socket, text } = clients[turn] as Client
    turn = (turn + 1) % clients.length
    const count = Math.min(each, left)
    counts.offered += count
    if (socket.unsent > HELD) counts.held += count
    else socket.send(Array.from({ length: count }, () => text))
  }
}
if (rate) setInterval(offer, EACH_MS)
const end = await begin('sending')
isOver = true
end(counts)
