import { newClientId } from './client-id.ts'
import type { MessengerError } from './error.ts'
import type { ClientFrame, FrameOf } from './types.ts'

type Ack = FrameOf<'ack'>
export type Asked = ClientFrame & { id: string }
type Request = {
  frame: Asked
  lane: Request[]
  resolve: (ack: Ack) => void
  reject: (error: MessengerError) => void
}

/**
 * Frames that are no messages and want an answer. They may be done twice without harm, so after a lost connection
 * they go again; unlike messages they end with this process. What changes one message is in a lane, of which only the
 * first is under way: the server may refuse an edit for now and take the next one, and the older would come last.
 */
export class Requests {
  readonly #lanes = new Map<number, Request[]>()
  /** Those that may go, each the first of its lane, in the order in which they were asked for. */
  readonly #ready: Request[] = []
  readonly #sent = new Map<string, Request>()

  ask(frame: ClientFrame): Promise<Ack> {
    return new Promise((resolve, reject) => {
      const lane = this.#laneOf(frame)
      const request: Request = { frame: { ...frame, id: newClientId() }, lane, resolve, reject }
      lane.push(request)
      if (lane[0] === request) this.#offer(request)
    })
  }

  /** @returns the next frame that may go; it is under way from now on */
  take(): Asked | undefined {
    const request = this.#ready.shift()
    if (!request) return undefined
    this.#sent.set(request.frame.id, request)
    return request.frame
  }

  accept(ack: Ack) {
    this.#leave(ack.id)?.resolve(ack)
  }

  refuse(id: string, error: MessengerError) {
    this.#leave(id)?.reject(error)
  }

  /** A frame was not taken for now. */
  putBack(id: string) {
    const request = this.#sent.get(id)
    if (!request) return
    this.#sent.delete(id)
    this.#offer(request)
  }

  /** The connection is lost: whatever was under way goes again, in its order. */
  putAllBack() {
    for (const id of this.#sent.keys()) this.putBack(id)
  }

  rejectAll(error: MessengerError) {
    this.putAllBack()
    this.#lanes.clear()
    for (const { lane } of this.#ready.splice(0)) for (const { reject } of lane) reject(error)
  }

  #offer(request: Request) {
    // Their ids rise.
    const before = this.#ready.findLastIndex((other) => other.frame.id < request.frame.id)
    this.#ready.splice(before + 1, 0, request)
  }

  #leave(id = ''): Request | undefined {
    const request = this.#sent.get(id)
    if (!request) return undefined
    this.#sent.delete(id)
    const { frame, lane } = request
    lane.shift()
    if (lane[0]) this.#offer(lane[0])
    else if ('message_id' in frame) this.#lanes.delete(frame.message_id)
    return request
  }

  #laneOf(frame: ClientFrame): Request[] {
    if (!('message_id' in frame)) return []
    const lane = this.#lanes.get(frame.message_id) ?? []
    this.#lanes.set(frame.message_id, lane)
    return lane
  }
}
