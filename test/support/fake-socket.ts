import type { Limits, Message } from '../../client/src/index.ts'

/** A session that no server knows. */
export const session = { token: 'x.y.z', expires_at: '', user: { id: 1, username: 'alice' } }

export const limits: Limits = {
  max_message_length: 100,
  max_frame_bytes: 1000,
  max_metadata_bytes: 100,
  frames_per_second: 1000,
  sends_per_minute: 0,
}
/** @returns a message as the server sends it */
export const stored = (id: number, more: Partial<Message> = {}): Message => ({
  id,
  conversation_id: 7,
  sender: 'alice',
  sender_id: 1,
  receiver: 'bob',
  content: '',
  timestamp: '',
  ...more,
})

/** @returns the first frame of a server */
export const hello = (cursor: string, heartbeat_ms = 60_000) => ({
  type: 'hello',
  cursor,
  heartbeat_ms,
  limits,
  user: session.user,
})

/** A WebSocket without a network. The test is its server. */
export class FakeSocket extends EventTarget {
  static readonly last: FakeSocket[] = []
  readonly url: string
  readonly sent: string[] = []
  closed: number | undefined
  constructor(url: string) {
    super()
    this.url = url
    FakeSocket.last.push(this)
  }
  send(text: string) {
    this.sent.push(text)
  }
  close(code?: number) {
    this.closed = code
  }
  receive(frame: object) {
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(frame) }))
  }
}
