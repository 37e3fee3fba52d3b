import { type Event, isNotice, type Notice } from '../../db/changes.ts'
import { isOfEra, isOfFamily } from '../../db/token-family.ts'
import type { Batch } from '../../db/writer.ts'
import type { Origin, Signal } from '../bus/bus.ts'
import type { Chat, Identity } from '../chat/context.ts'
import type { Cursors } from '../chat/cursors.ts'
import type { Waiter, WakeReason } from '../chat/waiter.ts'
import type { Tokens } from '../chat/tokens.ts'
import { errors } from '../errors.ts'
import { Encoded } from './encoding.ts'
import type { Presence } from './presence.ts'
import type { ProfileAnnouncer } from './profile-announcer.ts'
import type { Subscriber } from './subscriber.ts'
import { textFrame } from './transport.ts'

/** A long poll of /sync. */
type Poll = { me: Identity; wake: (reason: WakeReason) => void }

/** Routes each committed event to the open sockets and long polls of its audience, and acts on each notice. */
export class Hub {
  /** Every change up to this number was delivered. */
  head: number
  readonly #connections = new Map<number, Set<Subscriber>>()
  readonly #polls = new Map<number, Set<Poll>>()
  readonly #cursors: Cursors
  readonly #tokens: Tokens
  readonly #presence: Presence
  readonly #profileAnnouncer: ProfileAnnouncer
  #size = 0
  #waiting = 0

  constructor(
    { bus, cursors }: Chat,
    tokens: Tokens,
    presence: Presence,
    profileAnnouncer: ProfileAnnouncer,
    head: number,
  ) {
    this.#cursors = cursors
    this.#tokens = tokens
    this.#presence = presence
    this.#profileAnnouncer = profileAnnouncer
    this.head = head
    bus.subscribe({ batch: (batch) => this.#deliver(batch), signal: (signal) => this.#signal(signal) })
  }

  /** The number of open sockets. */
  get size() {
    return this.#size
  }

  /** The number of long polls. */
  get waiting() {
    return this.#waiting
  }

  /** @returns the number of long polls of a user */
  waitsOf(user_id: number): number {
    return this.#polls.get(user_id)?.size ?? 0
  }

  *all(): Iterable<Subscriber> {
    for (const connections of this.#connections.values()) yield* connections
  }

  connectionsOf(user_id: number): ReadonlySet<Subscriber> {
    return this.#connections.get(user_id) ?? none
  }

  add(connection: Subscriber) {
    const { user_id } = connection.me
    const connections = this.#connections.get(user_id) ?? new Set()
    this.#connections.set(user_id, connections.add(connection))
    this.#size += 1
    if (connections.size === 1) this.#presence.connected(connection.me)
  }

  remove(connection: Subscriber) {
    const { user_id } = connection.me
    const connections = this.#connections.get(user_id)
    /* c8 ignore next -- an end that is seen twice is a race */
    if (!connections?.delete(connection)) return
    this.#size -= 1
    this.#presence.watches.unwatch(connection)
    if (connections.size === 0) {
      this.#connections.delete(user_id)
      this.#presence.disconnected(connection.me)
    }
  }

  /** @returns a wait that ends with the next change that concerns `me`, or with the token of `me` */
  waitFor(me: Identity): Waiter {
    const { promise, resolve } = Promise.withResolvers<WakeReason>()
    let ended: WakeReason | undefined
    const wake = (reason: WakeReason) => {
      if (reason === 'token_ended' || reason === 'suspended') ended ??= reason
      resolve(reason)
    }
    const poll = { me, wake }
    const polls = this.#polls.get(me.user_id) ?? new Set()
    this.#polls.set(me.user_id, polls.add(poll))
    this.#waiting += 1
    let timer: NodeJS.Timeout | undefined
    return {
      verified: this.#tokens.recheck(me),
      wait: async (ms) => {
        timer = setTimeout(wake, ms, 'again')
        const reason = await promise
        // One batch may have an event for the user first, and then the end of the token.
        return ended ?? reason
      },
      end: () => wake('stop'),
      cancel: () => {
        clearTimeout(timer)
        polls.delete(poll)
        this.#waiting -= 1
        if (polls.size === 0 && this.#polls.get(me.user_id) === polls) this.#polls.delete(me.user_id)
      },
    }
  }

  /** Ends every long poll, for example when the server stops. */
  wakeAll(reason: WakeReason) {
    for (const polls of this.#polls.values()) for (const { wake } of polls) wake(reason)
  }

  #deliver(batch: Batch<Origin>) {
    const { head } = this
    // The head at the start may be ahead of what the writer publishes first.
    /* c8 ignore next -- a race between the reader and the writer of PostgreSQL */
    if (batch.last <= head) return
    this.head = batch.last
    if (batch.first > head + 1) this.#replayAll(head)
    for (const change of batch.changes) {
      const { event } = change
      try {
        if (isNotice(event)) this.#act(event)
        else this.#deliverEvent(change, event)
      } catch (error) {
        // Treats the rest of the batch as lost: every subscriber reads it from the database.
        this.#replayAll(change.number - 1)
        throw error
      }
    }
  }

  #deliverEvent({ number, audience, origin }: Omit<Batch<Origin>['changes'][number], 'event'>, event: Event) {
    const encoded = new Encoded(number, event, this.#cursors.format(number), origin)
    // A paced receipt has no audience yet, but its request needs the `ack` at this position of the stream.
    if (audience.length === 0 && origin) this.#acknowledge(origin, encoded)
    for (const user_id of audience) {
      const connections = this.#connections.get(user_id)
      if (connections) for (const connection of connections) deliver(connection, encoded)
      const polls = this.#polls.get(user_id)
      if (polls) for (const { wake } of polls) wake('again')
    }
    if (event.type === 'conversation') {
      this.#presence.watches.refresh(audience, this, [...event.joined, ...event.left])
    }
  }

  #act(notice: Notice) {
    // Sockets whose tokens must end with a secret end by a notice of their own.
    if (notice.type === 'secret_rotated' || notice.type === 'report') return
    if (notice.type === 'user') {
      this.#profileAnnouncer.changed(notice.user_id, this)
      return
    }
    if (notice.type === 'block') {
      this.#presence.watches.refresh(notice.user_ids, this, notice.user_ids)
      return
    }
    if (notice.type === 'suspension') {
      if (notice.until !== null) this.#suspend(notice.user_id)
      return
    }
    if (notice.type === 'key_ended') {
      for (const polls of this.#polls.values()) {
        for (const { me, wake } of polls) if (me.key === notice.name) wake('token_ended')
      }
      return
    }
    const isEnded = (me: Identity) => {
      if (me.key !== undefined) return false
      if (notice.type === 'token_ended') return me.jti === notice.jti
      return notice.type === 'tokens_ended' ? !isOfFamily(me, notice) : !isOfEra(me, notice)
    }
    const concerned =
      notice.type === 'all_tokens_ended'
        ? new Set([...this.#connections.keys(), ...this.#polls.keys()])
        : [notice.user_id]
    for (const user_id of concerned) {
      for (const connection of [...this.connectionsOf(user_id)]) {
        if (isEnded(connection.me)) connection.finish(errors.UNAUTHORIZED.close)
      }
      for (const { me, wake } of this.#polls.get(user_id) ?? []) {
        if (isEnded(me)) wake('token_ended')
        // The account may have been removed. The wait of a server key then ends when it is verified again.
        else if (me.key !== undefined) wake('again')
      }
    }
  }

  #suspend(user_id: number) {
    for (const connection of [...this.connectionsOf(user_id)]) {
      connection.finish(errors.ACCOUNT_SUSPENDED.close)
    }
    for (const { wake } of this.#polls.get(user_id) ?? []) wake('suspended')
  }

  /**
   * Makes every subscriber read the changes after `head` from the database, and verify its token, because what a lost change
   * was and whom it concerns is unknown.
   */
  #replayAll(head: number) {
    for (const connection of this.all()) connection.replayAfter(head)
    this.wakeAll('again')
    this.#presence.watches.refresh([...this.#connections.keys()], this)
  }

  #acknowledge(origin: Origin, encoded: Encoded) {
    /* c8 ignore next -- whether the socket is gone by then is a race */
    for (const connection of this.#connections.get(origin.user_id) ?? none) {
      if (connection.id === origin.connection_id) deliver(connection, encoded)
    }
  }

  #signal(signal: Signal) {
    switch (signal.type) {
      case 'typing': {
        const { conversation_id, username } = signal
        const frame = textFrame({ type: 'typing', conversation_id, username })
        for (const user_id of signal.audience) {
          for (const connection of this.connectionsOf(user_id)) connection.sendDroppable(frame)
        }
        return
      }
      case 'presence':
        this.#presence.changed(signal)
        return
      case 'server_ended':
        this.#presence.serverEnded(signal.server)
    }
  }
}

/** A connection that fails is closed and resumes from its cursor. The other connections are not affected. */
const deliver = (connection: Subscriber, encoded: Encoded) => {
  try {
    connection.deliver(encoded)
    /* c8 ignore next 3 -- nothing is known to throw here */
  } catch (error) {
    connection.fail(error)
  }
}

const none: ReadonlySet<never> = new Set()
