import type { MessengerError } from './error.ts'
import type { ClientFrame, Message, OutboxEntry } from './types.ts'

type Pending = {
  entry: OutboxEntry
  /** The order in which it was asked for. */
  place: number
  lane: Pending[]
  /** `keeping`: not in the storage yet; `ready`: may go once it is first; `sent`: waits for its answer. */
  state: 'keeping' | 'ready' | 'sent'
  resolve: (message: Message) => void
  reject: (error: MessengerError) => void
}

/**
 * Messages on their way, in a lane for each conversation: of a lane only the first is under way. Two under way would be
 * faster, but when the server refuses the first for now ("try again in 2 s") it may still take the second.
 */
export class Outbox {
  readonly #pending = new Map<string, Pending>()
  readonly #lanes = new Map<string, Pending[]>()
  /** Lanes whose first may go, in the order of those. */
  #ready: Pending[][] = []
  readonly #conversations = new Map<string, number>()
  readonly #names = new Map<number, string>()
  #places = 0
  #underWay = 0

  get entries(): readonly OutboxEntry[] {
    return [...this.#pending.values()].map(({ entry }) => entry)
  }

  get size() {
    return this.#pending.size
  }

  /** Messages that wait for their answer. */
  get underWay() {
    return this.#underWay
  }

  has(client_id: string) {
    return this.#pending.has(client_id)
  }

  /** @returns the message as it is stored. It may go once `kept` was called. */
  add(entry: OutboxEntry): Promise<Message> {
    const lane = this.#laneOf(entry)
    const pending: Pending = {
      entry,
      place: this.#places,
      lane,
      state: 'keeping',
      resolve: () => {},
      reject: () => {},
    }
    this.#places += 1
    this.#pending.set(entry.client_id, pending)
    lane.push(pending)
    return new Promise((resolve, reject) => {
      Object.assign(pending, { resolve, reject })
    })
  }

  /** An entry is in the storage. */
  kept(client_id: string) {
    const pending = this.#pending.get(client_id)
    if (!pending) return
    pending.state = 'ready'
    this.#offer(pending.lane)
  }

  /** @returns the next message that may go; it is under way from now on. */
  take(): OutboxEntry | undefined {
    const pending = this.#ready.shift()?.[0]
    if (!pending) return undefined
    pending.state = 'sent'
    this.#underWay += 1
    return pending.entry
  }

  /** A message is stored. */
  accept(client_id: string, message: Message) {
    this.learn(message.receiver, message.conversation_id)
    this.#leave(client_id)?.resolve(message)
  }

  /** A message will never be taken. @returns what it was */
  refuse(client_id: string, error: MessengerError): OutboxEntry | undefined {
    const pending = this.#leave(client_id)
    pending?.reject(error)
    return pending?.entry
  }

  /** A message was not taken for now. */
  putBack(client_id: string) {
    const pending = this.#pending.get(client_id)
    if (pending?.state !== 'sent') return
    pending.state = 'ready'
    this.#underWay -= 1
    this.#offer(pending.lane)
  }

  /** The connection is lost: whatever was under way goes again. */
  putAllBack() {
    for (const [client_id, { state }] of this.#pending) if (state === 'sent') this.putBack(client_id)
  }

  /** No answer will come any more: who waits is told. */
  rejectAll(error: MessengerError) {
    for (const { reject } of this.#pending.values()) reject(error)
  }

  /** A direct conversation can be named in two ways: by its peer and by its id. */
  learn(peer: string | undefined, conversation_id: number) {
    if (peer === undefined) return
    this.#conversations.set(fold(peer), conversation_id)
    this.#names.set(conversation_id, fold(peer))
  }

  #offer(lane: Pending[]) {
    const [first] = lane
    if (first?.state !== 'ready' || this.#ready.includes(lane)) return
    const index = this.#ready.findIndex(([other]) => (other as Pending).place > first.place)
    this.#ready.splice(index < 0 ? this.#ready.length : index, 0, lane)
  }

  #leave(client_id: string): Pending | undefined {
    const pending = this.#pending.get(client_id)
    if (!pending) return undefined
    this.#pending.delete(client_id)
    const { lane, state } = pending
    if (state === 'sent') this.#underWay -= 1
    lane.splice(lane.indexOf(pending), 1)
    this.#ready = this.#ready.filter((ready) => ready !== lane)
    this.#offer(lane)
    return pending
  }

  #laneOf({ receiver_username, conversation_id }: OutboxEntry): Pending[] {
    const name =
      receiver_username === undefined ? this.#names.get(conversation_id as number) : fold(receiver_username)
    const id = conversation_id ?? this.#conversations.get(name as string)
    // What was asked for by the other name, before both were known to be one, is still before it.
    const keys = [...(name === undefined ? [] : [`@${name}`]), ...(id === undefined ? [] : [`#${id}`])]
    const lanes = keys.map((key) => this.#lanes.get(key))
    const lane = lanes.find((known) => known?.length) ?? []
    for (const key of keys) this.#lanes.set(key, lane)
    return lane
  }
}

/** As the server compares names. */
const fold = (name: string) => name.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC')

/** The frame that sends an entry; `id` comes back in its answer. */
export const sendFrame = (id: string, entry: OutboxEntry): ClientFrame => ({ type: 'send', id, ...entry })
