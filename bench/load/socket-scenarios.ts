/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { uuidv7 } from './identity.ts'
import { contactOf, type Job, random, tokensOf } from './job.ts'
import { createCounter, frame, openSender, type Sender } from './sender.ts'
import { createWindow, type Load } from './window.ts'

/** 64 clients in pairs that send to each other, each with 8 messages in flight. */
export const sendSocket = async (job: Job): Promise<Load> => {
  const tokens = await tokensOf(job)
  const senders = await Promise.all(tokens.map((token) => openSender(job, token)))
  const counter = createCounter(job)
  for (const [index, sender] of senders.entries()) {
    const receiver = index ^ 1
    let wanted = 0
    const sendWanted = () => {
      const receivers = Array.from<number>({ length: wanted }).fill(receiver)
      wanted = 0
      if (!counter.window.isOver) counter.send(sender, receivers)
    }
    sender.onMessage = counter.delivered
    sender.onAck = () => {
      counter.window.done(sender.began.shift() as number)
      wanted += 1
      // Answers all acknowledgements of one chunk by a single write.
      if (wanted === 1) process.nextTick(sendWanted)
    }
    wanted = job.inFlight
    sendWanted()
  }
  return counter.result()
}

/**
 * All users of a big database are connected. At any time 64 of them have 8 messages in flight to one of their contacts.
 * When these are acknowledged, another user is drawn.
 */
export const sendSocketBig = async (job: Job): Promise<Load> => {
  const tokens = await tokensOf(job)
  const senders: Sender[] = []
  await Promise.all(
    Array.from({ length: 16 }, async (_, first) => {
      for (let user = first; user < job.users; user += 16) {
        senders[user] = await openSender(job, tokens[user] as string)
      }
    }),
  )
  const counter = createCounter(job)
  const draw = () => {
    if (counter.window.isOver) return
    let user = random(job.users)
    while ((senders[user] as Sender).began.length > 0) user = random(job.users)
    const receiver = contactOf(user, job.users)
    counter.send(senders[user] as Sender, Array.from<number>({ length: job.inFlight }).fill(receiver))
  }
  for (const sender of senders) {
    sender.onMessage = counter.delivered
    sender.onAck = () => {
      counter.window.done(sender.began.shift() as number)
      if (sender.began.length === 0) process.nextTick(draw)
    }
  }
  for (let slot = 0; slot < job.connections; slot += 1) draw()
  return counter.result()
}

/** One user sends to another who has many devices. A message counts once all devices have it. */
export const fanOut = async (job: Job): Promise<Load> => {
  const [senderToken, receiverToken] = (await tokensOf({ ...job, users: 2 })) as [string, string]
  const sender = await openSender(job, senderToken)
  let delivered = 0
  const began: number[] = []
  const send = () => {
    began.push(window.begin())
    sender.socket.send([frame(1, uuidv7())])
  }
  const onMessage = () => {
    delivered += 1
    if (delivered % job.connections > 0) return
    window.done(began.shift() as number, job.connections)
    if (!window.isOver) send()
  }
  for (let device = 0; device < job.connections; device += 1) {
    const receiver = await openSender(job, receiverToken)
    receiver.onMessage = onMessage
  }
  const window = createWindow(job)
  for (let slot = 0; slot < job.inFlight; slot += 1) send()
  return window.result()
}
