import type { MessengerError } from './error.ts'
import type { Message, OutboxEntry } from './types.ts'

type Pending = {
  entry: OutboxEntry
  /** Rises with each that is added. */
  place: number
  lane: Pending[]
  /** `keeping`: not in the storage yet; `ready`: may go once it is first; `sent`: waits for its answer. */
  state: 'keeping' | 'ready' | 'sent'
  stored: Promise<Message>
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
  readonly #ready: Pending[][] = []
  readonly #conversations = new Map<string, number>()
  readonly #names = new Map<number, string>()
  #places = 0

  get entries(): readonly OutboxEntry[] {
    return [...this.#pending.values()].map(({ entry }) => entry)
  }

  has(client_id: string) {
    return this.#pending.has(client_id)
  }

  /**
   * Takes an entry in; it may go once `kept` was called.
   * @returns the message as it is stored: for a `client_id` that is here already, of that one
   */
  add(entry: OutboxEntry): Promise<Message> {
    const known = this.#pending.get(entry.client_id)
    if (known) return known.stored
    const lane = this.#laneOf(entry)
    let settle = {} as Pick<Pending, 'resolve' | 'reject'>
    const stored = new Promise<Message>((resolve, reject) => {
      settle = { resolve, reject }
    })
    this.#places += 1
    const pending: Pending = { entry, place: this.#places, lane, state: 'keeping', stored, ...settle }
    this.#pending.set(entry.client_id, pending)
    lane.push(pending)
    return stored
  }

  /** An entry is in the storage. */
  kept(client_id: string) {
    const pending = this.#pending.get(client_id)
    if (pending?.state === 'keeping') this.#mayGo(pending)
  }

  /** @returns the next message that may go; it is under way from now on */
  take(): OutboxEntry | undefined {
    const pending = this.#ready.shift()?.[0]
    if (!pending) return undefined
    pending.state = 'sent'
    return pending.entry
  }

  /** A message that was under way is stored. */
  accept(client_id: string, message: Message) {
    this.learn(message.receiver, message.conversation_id)
    this.#leave(client_id).resolve(message)
  }

  /** A message will not be stored, here or there. @returns what it was */
  refuse(client_id: string, error: MessengerError): OutboxEntry {
    const { entry, reject } = this.#leave(client_id)
    reject(error)
    return entry
  }

  /** A message that was under way was not taken for now. */
  putBack(client_id: string) {
    this.#mayGo(this.#pending.get(client_id) as Pending)
  }

  /** The connection is lost: whatever was under way goes again. */
  putAllBack() {
    for (const pending of this.#pending.values()) if (pending.state === 'sent') this.#mayGo(pending)
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

  #mayGo(pending: Pending) {
    pending.state = 'ready'
    this.#offer(pending.lane)
  }

  #offer(lane: Pending[]) {
    const [first] = lane
    if (first?.state !== 'ready' || this.#ready.includes(lane)) return
    const before = this.#ready.findLastIndex(([other]) => (other as Pending).place < first.place)
    this.#ready.splice(before + 1, 0, lane)
  }

  #leave(client_id: string): Pending {
    const pending = this.#pending.get(client_id) as Pending
    this.#pending.delete(client_id)
    const { lane } = pending
    lane.splice(lane.indexOf(pending), 1)
    this.#offer(lane)
    return pending
  }

  #laneOf({ receiver_username, conversation_id }: OutboxEntry): Pending[] {
    const name =
      receiver_username === undefined ? this.#names.get(conversation_id ?? 0) : fold(receiver_username)
    const id = conversation_id ?? this.#conversations.get(name ?? '')
    const keys = [...(name === undefined ? [] : [`@${name}`]), ...(id === undefined ? [] : [`#${id}`])]
    // What was asked for under the other name, before both were known to be one, is still before it.
    const lane = keys.map((key) => this.#lanes.get(key)).find((known) => known?.length) ?? []
    for (const key of keys) this.#lanes.set(key, lane)
    return lane
  }
}

/** As the server compares names. */
const fold = (name: string) => name.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC')
