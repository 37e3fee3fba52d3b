import { newClientId } from './client-id.ts'
import type { MessengerError } from './error.ts'
import type { ClientFrame, FrameOf } from './types.ts'

type Ack = FrameOf<'ack'>
type Request = {
  frame: ClientFrame & { id: string }
  resolve: (ack: Ack) => void
  reject: (error: MessengerError) => void
}

/**
 * Frames that are no messages and want an answer. They may be done twice without harm, so after a lost connection
 * they go again; unlike messages they end with this process.
 */
export class Requests {
  #waiting: Request[] = []
  readonly #sent = new Map<string, Request>()

  ask(frame: ClientFrame): Promise<Ack> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ frame: { ...frame, id: newClientId() }, resolve, reject })
    })
  }

  /** @returns the next frame that may go */
  take(): (ClientFrame & { id: string }) | undefined {
    const request = this.#waiting.shift()
    if (!request) return undefined
    this.#sent.set(request.frame.id, request)
    return request.frame
  }

  /** @returns the frame that was answered, if it is one of these */
  typeOf(id: string): ClientFrame['type'] {
    return this.#sent.get(id)?.frame.type
  }

  accept(id: string, ack: Ack) {
    this.#sent.get(id)?.resolve(ack)
    this.#sent.delete(id)
  }

  refuse(id: string, error: MessengerError) {
    this.#sent.get(id)?.reject(error)
    this.#sent.delete(id)
  }

  /** A frame was not taken for now. */
  putBack(id: string) {
    const request = this.#sent.get(id)
    this.#sent.delete(id)
    if (request) this.#waiting.unshift(request)
  }

  /** The connection is lost: whatever was under way goes again, in its order. */
  putAllBack() {
    this.#waiting.unshift(...this.#sent.values())
    this.#sent.clear()
  }

  rejectAll(error: MessengerError) {
    this.putAllBack()
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
