import { foldName } from './names.ts'
import type { SendRequest } from './types.ts'

/** Maps the two addresses of a direct conversation, the peer's name and the conversation's id, to each other. */
export class ConversationKeys {
  readonly #ids = new Map<string, number>()
  readonly #peers = new Map<number, string>()

  /** Learns both addresses of a direct conversation. Ignores a group, which has no `peer`. */
  link(peer: string | undefined, conversation_id: number) {
    if (peer === undefined) return
    this.#ids.set(foldName(peer), conversation_id)
    this.#peers.set(conversation_id, foldName(peer))
  }

  /** @returns a key for each known address of the conversation that a request goes to */
  of({ receiver_username, conversation_id }: SendRequest): string[] {
    const peer =
      receiver_username === undefined ? this.#peers.get(conversation_id ?? 0) : foldName(receiver_username)
    const id = conversation_id ?? this.#ids.get(peer ?? '')
    return [...(peer === undefined ? [] : [`@${peer}`]), ...(id === undefined ? [] : [`#${id}`])]
  }
}
