/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { CONTENT, nameOf, uuidv7 } from './identity.ts'
import type { Job } from './job.ts'
import { LoadSocket } from './socket.ts'
import { createWindow, type Load } from './window.ts'

export const frame = (receiver: number, client_id: string) =>
  JSON.stringify({ type: 'send', receiver_username: nameOf(receiver), content: CONTENT, client_id })

/** Offset of the first letter of a server frame's type: `{"type":"ack"…`. The letter is enough to tell the frames apart. */
export const TYPE_AT = '{"type":"'.length
export const [ACK, MESSAGE, HELLO, CONVERSATION] = ['a', 'm', 'h', 'c'].map((letter) => letter.charCodeAt(0))
/** Second letter of `caught_up`, which starts with the same letter as `conversation`. */
export const CAUGHT = 'a'.charCodeAt(0)

export type Sender = { socket: LoadSocket; began: number[]; onAck: () => void; onMessage: () => void }

export const openSender = async ({ port, isBare }: Job, token: string): Promise<Sender> => {
  const sender: Sender = { socket: undefined as never, began: [], onAck() {}, onMessage() {} }
  sender.socket = await LoadSocket.open(port, token, (data, start, end) => {
    const type = data[start + TYPE_AT]
    if (isBare) {
      sender.onAck()
      sender.onMessage()
    } else if (type === ACK) sender.onAck()
    else if (type === MESSAGE) sender.onMessage()
    else if (type !== HELLO && type !== CONVERSATION)
      throw new Error(`unexpected: ${data.toString('utf8', start, end)}`)
  })
  return sender
}

/** Counts each acknowledged message and checks that each is also delivered. */
export const createCounter = (job: Job) => {
  const window = createWindow(job)
  let sent = 0
  let delivered = 0
  let allDelivered = () => {}
  return {
    window,
    send(sender: Sender, receivers: readonly number[]) {
      for (const _ of receivers) sender.began.push(window.begin())
      sent += receivers.length
      sender.socket.send(receivers.map((receiver) => frame(receiver, uuidv7())))
    },
    delivered() {
      delivered += 1
      if (delivered === sent) allDelivered()
    },
    async result(): Promise<Load> {
      const result = await window.result()
      if (delivered < sent) {
        await new Promise<void>((resolve) => {
          allDelivered = resolve
        })
      }
      return result
    },
  }
}
