import { MessengerError } from './error.ts'
import type { MessengerStorage, Owner, StoredState } from './storage.ts'
import type { OutboxEntry } from './types.ts'

/** Saves changes in a storage: one call per change, without waiting for the one before. */
export class StorageWriter {
  readonly #storage: MessengerStorage
  readonly #onError: (error: MessengerError) => void
  #owner: Owner | undefined
  #pending: Promise<void> = Promise.resolve()

  /** @param onError receives an error `STORAGE` for each change that is not saved. */
  constructor(storage: MessengerStorage, onError: (error: MessengerError) => void) {
    this.#storage = storage
    this.#onError = onError
  }

  async load(): Promise<StoredState> {
    const state = await this.#storage.load()
    this.#owner = state.owner
    return state
  }

  /**
   * Makes `owner` the owner of a new storage.
   * @throws MessengerError `STORAGE_IN_USE` if the storage belongs to another owner: the messages in its outbox are
   *   from another user, or for another server
   */
  claim(owner: Owner) {
    if (this.#owner === undefined) this.#save(() => this.#storage.setOwner(owner))
    else if (this.#owner !== owner) {
      throw new MessengerError(
        'STORAGE_IN_USE',
        `The storage belongs to ${this.#owner}. Pass another \`storage\` for ${owner}.`,
      )
    }
    this.#owner = owner
  }

  setCursor(cursor: string) {
    this.#save(() => this.#storage.setCursor(cursor))
  }

  /** @param onDone is called once the entry is saved, or with the reason why it is not. */
  put(entry: OutboxEntry, onDone: (error?: MessengerError) => void) {
    this.#save(() => this.#storage.put(entry), onDone)
  }

  remove(client_id: string) {
    this.#save(() => this.#storage.remove(client_id))
  }

  /** Waits for all changes, then closes the storage. */
  async close(): Promise<void> {
    await this.#pending
    await this.#storage.close?.()
  }

  #save(change: () => void | Promise<void>, onDone: (error?: MessengerError) => void = () => {}) {
    const done = (async () => change())().then(
      () => onDone(),
      (cause) => {
        const error = new MessengerError(
          'STORAGE',
          'The storage failed to save a change. Check the storage; `cause` has its error.',
          { cause },
        )
        this.#onError(error)
        onDone(error)
      },
    )
    this.#pending = this.#pending.then(() => done)
  }
}
