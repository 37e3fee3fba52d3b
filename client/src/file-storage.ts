import { appendFile, readFile, rename, writeFile } from 'node:fs/promises'
import type { MessengerStorage, StoredState } from './storage.ts'
import type { OutboxEntry } from './types.ts'

/** Number of lines after which the file is replaced by a snapshot. */
const COMPACT_AFTER = 10_000

type Change = { owner: string } | { cursor: string } | { put: OutboxEntry } | { remove: string }

/**
 * A storage for Node.js: a file with one change per line, as JSON. It outlives the process. After a power loss the last
 * changes may be missing.
 * @param path of the file. It is created if it does not exist. Only one process at a time may use it.
 */
export const fileStorage = (path: string): MessengerStorage => {
  let state = emptyState()
  let lines = 0
  let batch: Change[] = []
  let writing: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined

  const write = async () => {
    next = undefined
    const changes = batch
    batch = []
    const length = lines + changes.length
    // If this write fails, the file may end in half a line. The next write then replaces the whole file.
    lines = COMPACT_AFTER
    if (length <= COMPACT_AFTER) {
      await appendFile(path, linesOf(changes))
      lines = length
      return
    }
    // The rename is atomic: after a crash there is either the old file or the new one.
    await writeFile(`${path}.new`, linesOf(snapshot(state)), { mode: 0o600 })
    await rename(`${path}.new`, path)
    lines = 0
  }

  /** Saves a change. The changes that arrive during a write are saved together by the next write. */
  const save = (change: Change): Promise<void> => {
    apply(state, change)
    batch.push(change)
    if (!next) {
      next = writing.then(write)
      writing = next.catch(() => {})
    }
    return next
  }

  return {
    async load(): Promise<StoredState> {
      state = parse(await readOrCreate(path))
      // The first write replaces the file, because it may end in half a line.
      lines = COMPACT_AFTER
      const { owner, cursor, outbox } = state
      return { owner, cursor, outbox: [...outbox.values()] }
    },
    setOwner: (owner) => save({ owner }),
    setCursor: (cursor) => save({ cursor }),
    put: (entry) => save({ put: entry }),
    remove: (client_id) => save({ remove: client_id }),
    close: () => writing,
  }
}

type State = Omit<StoredState, 'outbox'> & { outbox: Map<string, OutboxEntry> }

const emptyState = (): State => ({ owner: undefined, cursor: undefined, outbox: new Map() })

const readOrCreate = async (path: string): Promise<string> => {
  await appendFile(path, '', { mode: 0o600 })
  return readFile(path, 'utf8')
}

const parse = (file: string): State => {
  const state = emptyState()
  // The text after the last line break is empty, or a line that was cut off by a crash.
  const complete = file.split('\n').slice(0, -1)
  for (const line of complete) apply(state, JSON.parse(line) as Change)
  return state
}

const apply = (state: State, change: Change) => {
  if ('owner' in change) state.owner = change.owner
  else if ('cursor' in change) state.cursor = change.cursor
  else if ('remove' in change) state.outbox.delete(change.remove)
  else if (!state.outbox.has(change.put.client_id)) state.outbox.set(change.put.client_id, change.put)
}

const snapshot = ({ owner, cursor, outbox }: State): Change[] => [
  ...(owner === undefined ? [] : [{ owner }]),
  ...(cursor === undefined ? [] : [{ cursor }]),
  ...[...outbox.values()].map((put) => ({ put })),
]

const linesOf = (changes: Change[]) => changes.map((change) => `${JSON.stringify(change)}\n`).join('')
