import type { Change } from '../../db/changes.ts'
import { toFrame } from '../chat/events.ts'
import { toMessage } from '../chat/messages.ts'
import type { Origin } from './bus.ts'
import { textFrame } from './framing.ts'

/** A change as the bus hands it on. */
export type Delivery = Omit<Change, 'operation'> & { origin?: Origin | undefined }

/** Nobody has this id: what such a viewer is shown is what every other sees. */
const ANYBODY = 0

/**
 * One change as bytes, encoded once for all who see the same: 200 devices of a receiver share one buffer.
 * Only the ack is made for one socket, around the same message.
 */
export class Encoded {
  readonly change: Delivery
  readonly cursor: string
  readonly #frames = new Map<string | number, Buffer>()

  constructor(change: Delivery, cursor: string) {
    this.change = change
    this.cursor = cursor
  }

  /** @returns the frame of `messenger.v1` that tells `viewer_id` of the change. */
  frame(viewer_id: number): Buffer {
    const { event } = this.change
    const viewer = this.#isSpecial(viewer_id) ? viewer_id : ANYBODY
    let frame = this.#frames.get(viewer)
    if (!frame) {
      frame = textFrame(JSON.stringify(toFrame(event, viewer, this.cursor)))
      this.#frames.set(viewer, frame)
    }
    return frame
  }

  /** @returns the frame that a plain socket of `viewer_id` gets: a direct message to it, or nothing. */
  plain(viewer_id: number): Buffer | undefined {
    const { event } = this.change
    if (event.type !== 'message' || event.message.receiver_id !== viewer_id) return undefined
    let frame = this.#frames.get('plain')
    if (!frame) {
      frame = textFrame(JSON.stringify({ type: 'message', ...toMessage(event.message, viewer_id) }))
      this.#frames.set('plain', frame)
    }
    return frame
  }

  /** @returns the answer to the socket that asked for the change, in the place of the change. */
  ack(viewer_id: number, id: string | undefined): Buffer {
    return textFrame(JSON.stringify(ack(id, this.cursor, this.change.event, viewer_id)))
  }

  #isSpecial(viewer_id: number): boolean {
    const { event } = this.change
    switch (event.type) {
      case 'message':
      case 'message_updated':
        return event.message.sender_id === viewer_id && event.message.client_id !== null
      case 'receipt':
        return false
      case 'conversation':
        return event.pair.length > 0 || event.joined.includes(viewer_id) || event.left.includes(viewer_id)
    }
  }
}

const ack = (id: string | undefined, cursor: string, event: Change['event'], viewer_id: number) => {
  if (event.type === 'receipt') {
    const { type: _, ...receipt } = event
    return { type: 'ack', id, cursor, receipt }
  }
  const message = event.type === 'conversation' ? undefined : toMessage(event.message, viewer_id)
  return { type: 'ack', id, cursor, message }
}
