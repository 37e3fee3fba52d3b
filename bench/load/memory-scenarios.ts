/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { uuidv7 } from './identity.ts'
import { type Job, tokensOf } from './job.ts'
import { latency } from '../statistics.ts'
import { residentBytes } from './resident-bytes.ts'
import { CAUGHT, CONVERSATION, frame, openSender, TYPE_AT } from './sender.ts'
import { LoadSocket } from './socket.ts'
import { createWindow, type Load } from './window.ts'

/** Measures the resident bytes of an idle socket. */
export const idle = async (job: Job): Promise<Load> => {
  const tokens = await tokensOf(job)
  const openMany = (from: number, to: number) =>
    Promise.all(
      Array.from({ length: 16 }, async (_, first) => {
        const opened: LoadSocket[] = []
        for (let user = from + first; user < to; user += 16) {
          opened.push(await LoadSocket.open(job.port, tokens[user] as string, () => {}))
        }
        return opened
      }),
    )
  // The first sockets also load code and fill pools, so they are not counted.
  const tenth = Math.ceil(job.users / 10)
  await openMany(0, tenth)
  await pass(job.warmUp)
  const before = residentBytes(job.pid)
  await openMany(tenth, job.users)
  await pass(job.measure)
  const bytes = (residentBytes(job.pid) - before) / (job.users - tenth)
  return { rate: bytes, ...latency([0]) }
}

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * One device repeatedly resumes from the same old cursor while other users send to each other, one message at a time.
 * Measures the latency of their sends and the memory growth of the server.
 */
export const createResume =
  (isResuming: boolean) =>
  async (job: Job): Promise<Load> => {
    const tokens = await tokensOf(job)
    const { sender, cursor } = await missMessages(job, tokens)
    const before = residentBytes(job.pid)
    let highest = before
    const window = createWindow(job)
    const watch = setInterval(() => {
      highest = Math.max(highest, residentBytes(job.pid))
    }, 10)
    for (let user = 2; user < job.users; user += 1) {
      const other = await openSender(job, tokens[user] as string)
      const write = () => {
        other.began.push(window.begin())
        other.socket.send([frame(user ^ 1, uuidv7())])
      }
      other.onAck = () => {
        window.done(other.began.shift() as number)
        if (!window.isOver) setTimeout(write, 1)
      }
      write()
    }
    if (isResuming) while (!window.isOver) await resume(job, tokens[0] as string, cursor)
    const result = await window.result()
    clearInterval(watch)
    sender.socket.close()
    return { ...result, grown: highest - before }
  }

/** The second user sends `connections` messages while the first is away. @returns the cursor of the first */
const missMessages = async (job: Job, [token, writer]: readonly string[]) => {
  const { promise: cursor, resolve } = Promise.withResolvers<string>()
  const first = await LoadSocket.open(job.port, token as string, (data, start, end) => {
    resolve((JSON.parse(data.toString('utf8', start, end)) as { cursor: string }).cursor)
  })
  await cursor
  first.close()
  const sender = await openSender(job, writer as string)
  for (let sent = 0; sent < job.connections; sent += 500) {
    await new Promise<void>((resolve) => {
      let missing = Math.min(500, job.connections - sent)
      sender.onAck = () => {
        missing -= 1
        if (missing === 0) resolve()
      }
      sender.socket.send(Array.from({ length: missing }, () => frame(0, uuidv7())))
    })
  }
  return { sender, cursor: await cursor }
}

const resume = async (job: Job, token: string, cursor: string) => {
  const { promise: caughtUp, resolve } = Promise.withResolvers<void>()
  const onFrame = (data: Buffer, start: number) => {
    if (data[start + TYPE_AT] === CONVERSATION && data[start + TYPE_AT + 1] === CAUGHT) resolve()
  }
  const socket = await LoadSocket.open(job.port, token, onFrame, `/ws?cursor=${cursor}`)
  await caughtUp
  socket.close()
}
