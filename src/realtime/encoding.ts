import type { Change, StoredMessage } from '../../db/changes.ts'
import type { Origin } from '../bus/bus.ts'
import { isPersonal, toEventFrame } from '../chat/event-frames.ts'
import { toMessage } from '../chat/messages.ts'
import { textFrame } from './transport.ts'

/** A change as the bus delivers it. */
export type Delivery = Omit<Change, 'operation'> & { origin?: Origin | undefined }

/** No user has this id. Stands for every viewer whose frame is not personal. */
const ANYBODY = 0

/** Encodes one change for its audience, once per distinct frame: 200 devices of a receiver share one buffer. */
export class Encoded {
  readonly change: Delivery
  readonly cursor: string
  readonly #frames = new Map<string | number, Buffer>()

  constructor(change: Delivery, cursor: string) {
    this.change = change
    this.cursor = cursor
  }

  /** @returns the event frame for `viewer_id` */
  frame(viewer_id: number): Buffer {
    const { event } = this.change
    const viewer = isPersonal(event, viewer_id) ? viewer_id : ANYBODY
    return this.#once(viewer, () => toEventFrame(event, viewer, this.cursor))
  }

  /** @returns the frame for a plain socket of `viewer_id`; undefined unless it is a new direct message to that user */
  plain(viewer_id: number): Buffer | undefined {
    const { event } = this.change
    if (event.type !== 'message' || event.message.receiver_id !== viewer_id) return undefined
    return this.#once(`plain ${viewer_id}`, () => ({
      type: 'message',
      ...toMessage(event.message, viewer_id),
    }))
  }

  /** @returns the `ack` that the requesting connection receives instead of the event. `id` is the client's frame id. */
  ack(viewer_id: number, id: string | undefined): Buffer {
    const { event } = this.change
    const head = { type: 'ack', id, cursor: this.cursor }
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

const isMessage = (event: Change['event']): event is Extract<Change['event'], { message: StoredMessage }> =>
  'message' in event
