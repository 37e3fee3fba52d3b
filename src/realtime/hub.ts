import type { Batch } from '../../db/writer.ts'
import type { Identity } from '../chat/context.ts'
import type { Cursors } from '../chat/cursors.ts'
import type { Waiter, WakeReason } from '../chat/sync.ts'
import { errors } from '../errors.ts'
import type { Bus, BusListener, Origin, Signal } from '../bus/bus.ts'
import type { Connection } from './connection.ts'
import { Encoded } from './encoding.ts'
import { textFrame } from './framing.ts'
import type { Presence } from './presence.ts'

type Wait = { me: Identity; wake: (why: WakeReason) => void }

/** Who is here: hands each change to the sockets and waiting calls of those whom it concerns. */
export class Hub {
  /** Every change up to this number has been handed on. */
  head: number
  readonly #connections = new Map<number, Set<Connection>>()
  readonly #waits = new Map<number, Set<Wait>>()
  readonly #cursors: Cursors
  readonly #presence: Presence
  #size = 0
  #waiting = 0

  constructor(bus: Bus, cursors: Cursors, presence: Presence, head: number) {
    this.#cursors = cursors
    this.#presence = presence
    this.head = head
    const listener: BusListener = {
      batch: (batch) => this.#deliver(batch),
      signal: (signal) => this.#signal(signal),
    }
    bus.subscribe(listener)
  }

  get size() {
    return this.#size
  }

  /** How many calls wait. */
  get waiting() {
    return this.#waiting
  }

  waitsOf(user_id: number): number {
    return this.#waits.get(user_id)?.size ?? 0
  }

  /** All open connections, for the heartbeat and for the stop. */
  *all(): Iterable<Connection> {
    for (const connections of this.#connections.values()) yield* connections
  }

  connectionsOf(user_id: number): ReadonlySet<Connection> {
    return this.#connections.get(user_id) ?? none
  }

  add(connection: Connection) {
    const { user_id } = connection.me
    const connections = this.#connections.get(user_id) ?? new Set()
    this.#connections.set(user_id, connections.add(connection))
    this.#size += 1
    if (connections.size === 1) this.#presence.arrived(connection.me)
  }

  remove(connection: Connection) {
    const { user_id } = connection.me
    const connections = this.#connections.get(user_id)
    /* c8 ignore next -- an end that is seen twice is a race */
    if (!connections?.delete(connection)) return
    this.#size -= 1
    this.#presence.watches.unwatch(connection)
    if (connections.size === 0) {
      this.#connections.delete(user_id)
      this.#presence.left(connection.me)
    }
  }

  /** @returns a wait that ends with the next change that concerns `me`, or with my token. */
  waitFor(me: Identity): Waiter {
    const { promise, resolve: wake } = Promise.withResolvers<WakeReason>()
    const wait = { me, wake }
    const waits = this.#waits.get(me.user_id) ?? new Set()
    this.#waits.set(me.user_id, waits.add(wait))
    this.#waiting += 1
    let timer: NodeJS.Timeout | undefined
    return {
      wait: (ms) => {
        timer = setTimeout(wake, ms, 'again')
        return promise
      },
      end: () => wake('stop'),
      cancel: () => {
        clearTimeout(timer)
        waits.delete(wait)
        this.#waiting -= 1
        if (waits.size === 0 && this.#waits.get(me.user_id) === waits) this.#waits.delete(me.user_id)
      },
    }
  }

  /** Ends every wait, for the stop. */
  wakeAll() {
    for (const waits of this.#waits.values()) for (const { wake } of waits) wake('stop')
  }

  #deliver(batch: Batch<Origin>) {
    const { head } = this
    this.head = batch.last
    if (batch.first > head + 1) this.#closeGap(head)
    for (const change of batch.changes) {
      try {
        this.#deliverChange(change)
      } catch (error) {
        // The rest of the batch is treated as lost: it is in the database, and everybody reads it there.
        this.#closeGap(change.number - 1)
        throw error
      }
    }
  }

  #deliverChange(change: Batch<Origin>['changes'][number]) {
    const encoded = new Encoded(change, this.#cursors.format(change.number))
    // Marks that are announced later reach nobody now, and still are to be acknowledged in their place.
    if (change.audience.length === 0 && change.origin) this.#acknowledge(change.origin, encoded)
    for (const user_id of change.audience) {
      const connections = this.#connections.get(user_id)
      if (connections) for (const connection of connections) tell(connection, encoded)
      const waits = this.#waits.get(user_id)
      if (waits) for (const { wake } of waits) wake('again')
    }
    const { event } = change
    if (event.type === 'conversation') {
      this.#presence.watches.reconsider(change.audience, this, [...event.joined, ...event.left])
    }
  }

  /** What came after `head` did not all arrive here. It is in the database, whomever it concerned. */
  #closeGap(head: number) {
    for (const connection of this.all()) connection.fallBehind(head)
    for (const waits of this.#waits.values()) for (const { wake } of waits) wake('again')
    this.#presence.watches.reconsider([...this.#connections.keys()], this)
  }

  #acknowledge(origin: Origin, encoded: Encoded) {
    /* c8 ignore next -- whether the socket is gone by then is a race */
    for (const connection of this.#connections.get(origin.user_id) ?? none) {
      if (connection.id === origin.socket) tell(connection, encoded)
    }
  }

  #signal(signal: Signal) {
    switch (signal.type) {
      case 'typing': {
        const { conversation_id, username } = signal
        const frame = textFrame(JSON.stringify({ type: 'typing', conversation_id, username }))
        for (const user_id of signal.audience) {
          for (const connection of this.connectionsOf(user_id)) connection.sendDroppable(frame)
        }
        return
      }
      case 'tokens_ended': {
        const isEnded = ({ jti }: Identity) =>
          signal.jti === undefined ? jti !== signal.except : jti === signal.jti
        for (const connection of [...this.connectionsOf(signal.user_id)]) {
          if (isEnded(connection.me)) connection.finish(errors.UNAUTHORIZED.close)
        }
        for (const { me, wake } of this.#waits.get(signal.user_id) ?? []) if (isEnded(me)) wake('token_ended')
        return
      }
      case 'all_tokens_ended':
        for (const connection of [...this.all()]) connection.finish(errors.UNAUTHORIZED.close)
        for (const waits of this.#waits.values()) for (const { wake } of waits) wake('token_ended')
        return
      case 'presence':
        this.#presence.changed(signal)
        return
      case 'acquaintance':
        this.#presence.watches.reconsider(signal.user_ids, this, signal.user_ids)
    }
  }
}

/** A socket that can't be told is closed, and resumes from its cursor; the others are told all the same. */
const tell = (connection: Connection, encoded: Encoded) => {
  try {
    connection.deliver(encoded)
    /* c8 ignore next 3 -- nothing is known to throw here */
  } catch (error) {
    connection.fail(error)
  }
}

const none: ReadonlySet<never> = new Set()
