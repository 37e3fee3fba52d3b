import type { Change, StoredMessage } from '../../db/changes.ts'
import { isPersonal, toEventFrame } from '../chat/event-frames.ts'
import { toMessage } from '../chat/messages.ts'
import type { Origin } from '../bus/bus.ts'
import { textFrame } from './framing.ts'

/** A change as the bus hands it on. */
export type Delivery = Omit<Change, 'operation'> & { origin?: Origin | undefined }

/** Nobody has this id: what such a viewer is shown is what every other sees. */
const ANYBODY = 0

/**
 * One change as bytes, encoded once for all who see the same: 200 devices of a receiver share one buffer. A message is made
 * JSON once, and put into each of its frames as text: making each frame anew was a tenth of a send.
 */
export class Encoded {
  readonly change: Delivery
  readonly cursor: string
  readonly #frames = new Map<string | number, Buffer>()
  #message: string | undefined

  constructor(change: Delivery, cursor: string) {
    this.change = change
    this.cursor = cursor
  }

  /** @returns the frame of `messenger.v1` that tells `viewer_id` of the change. */
  frame(viewer_id: number): Buffer {
    const { event } = this.change
    const viewer = isPersonal(event, viewer_id) ? viewer_id : ANYBODY
    return this.#once(viewer, () =>
      isMessage(event)
        ? `{"type":"${event.type}","cursor":"${this.cursor}",${this.#messageText(event.message, viewer).slice(1)}`
        : JSON.stringify(toEventFrame(event, viewer, this.cursor)),
    )
  }

  /** @returns the frame that a plain socket of `viewer_id` gets: a direct message to it, or nothing. */
  plain(viewer_id: number): Buffer | undefined {
    const { event } = this.change
    if (event.type !== 'message' || event.message.receiver_id !== viewer_id) return undefined
    return this.#once(
      `plain ${viewer_id}`,
      () => `{"type":"message",${this.#messageText(event.message, viewer_id).slice(1)}`,
    )
  }

  /** @returns the answer to the socket that asked for the change, in the place of the change. */
  ack(viewer_id: number, id: string | undefined): Buffer {
    const { event } = this.change
    const head = `{"type":"ack",${id === undefined ? '' : `"id":${JSON.stringify(id)},`}"cursor":"${this.cursor}"`
    if (isMessage(event))
      return textFrame(`${head},"message":${this.#messageText(event.message, viewer_id)}}`)
    const { type: _, ...receipt } = event as Extract<typeof event, { type: 'receipt' }>
    return textFrame(`${head},"receipt":${JSON.stringify(receipt)}}`)
  }

  #once(key: string | number, text: () => string): Buffer {
    let frame = this.#frames.get(key)
    if (!frame) {
      frame = textFrame(text())
      this.#frames.set(key, frame)
    }
    return frame
  }

  /** The message as `viewer_id` sees it: to its sender it has its `client_id` besides. */
  #messageText(message: StoredMessage, viewer_id: number): string {
    this.#message ??= JSON.stringify(toMessage(message, ANYBODY))
    return message.client_id !== null && message.sender_id === viewer_id
      ? `${this.#message.slice(0, -1)},"client_id":${JSON.stringify(message.client_id)}}`
      : this.#message
  }
}

const isMessage = (event: Change['event']): event is Extract<Change['event'], { message: StoredMessage }> =>
  'message' in event
