import type { Event, StoredMessage } from '../../db/changes.ts'
import type { Origin } from '../bus/bus.ts'
import { isPersonal, toEventFrame } from '../chat/event-frames.ts'
import { toMessage } from '../chat/messages.ts'
import { textFrame } from './transport.ts'

/** No user has this id. Stands for every viewer whose frame is not personal. */
const ANYBODY = 0

/** Encodes one event for its audience, once per distinct frame: 200 devices of a receiver share one buffer. */
export class Encoded {
  readonly number: number
  readonly event: Event
  readonly origin: Origin | undefined
  readonly #cursor: string
  readonly #frames = new Map<string | number, Buffer>()

  constructor(number: number, event: Event, cursor: string, origin?: Origin) {
    this.number = number
    this.event = event
    this.origin = origin
    this.#cursor = cursor
  }

  /** @returns the event frame for `viewer_id` */
  frame(viewer_id: number): Buffer {
    const { event } = this
    const viewer = isPersonal(event, viewer_id) ? viewer_id : ANYBODY
    return this.#once(viewer, () => toEventFrame(event, viewer, this.#cursor))
  }

  /** @returns the frame for a plain socket of `viewer_id`; undefined unless it is a new direct message to that user */
  plain(viewer_id: number): Buffer | undefined {
    const { event } = this
    if (event.type !== 'message' || event.message.receiver_id !== viewer_id) return undefined
    return this.#once(`plain ${viewer_id}`, () => ({
      type: 'message',
      ...toMessage(event.message, viewer_id),
    }))
  }

  /** @returns the `ack` that the requesting connection receives instead of the event. `id` is the client's frame id. */
  ack(viewer_id: number, id: string | undefined): Buffer {
    const { event } = this
    const head = { type: 'ack', id, cursor: this.#cursor }
    if (isMessage(event)) return textFrame({ ...head, message: toMessage(event.message, viewer_id) })
    const { type: _, ...receipt } = event as Extract<typeof event, { type: 'receipt' }>
    return textFrame({ ...head, receipt })
  }

  #once(key: string | number, toFrame: () => object): Buffer {
    let frame = this.#frames.get(key)
    if (!frame) {
      frame = textFrame(toFrame())
      this.#frames.set(key, frame)
    }
    return frame
  }
}

const isMessage = (event: Event): event is Extract<Event, { message: StoredMessage }> => 'message' in event
