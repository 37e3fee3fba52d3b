import { appendFile, readFile, rename, writeFile } from 'node:fs/promises'
import type { Kept, MessengerStorage } from './storage.ts'
import type { OutboxEntry } from './types.ts'

/** Lines after which the file is written anew. */
const COMPACT_AFTER = 10_000

type Line = { owner: string } | { cursor: string } | { put: OutboxEntry } | { remove: string }

/**
 * For Node.js: a file of lines, each a change. It outlives the process; a power loss may take the last changes.
 * @param path of the file, which is made; one process at a time uses it.
 * @returns a storage
 */
export const fileStorage = (path: string): MessengerStorage => {
  let kept: State = { owner: undefined, cursor: undefined, outbox: new Map() }
  let lines = 0
  let batch: Line[] = []
  let writing: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined

  const write = async () => {
    next = undefined
    const changes = batch
    batch = []
    const length = lines + changes.length
    // Should this fail, the file lacks these changes and may end in half a line: the next write makes it anew.
    lines = COMPACT_AFTER
    if (length <= COMPACT_AFTER) {
      await appendFile(path, text(changes))
      lines = length
      return
    }
    // The rename is all or nothing: a crash leaves the old file or the new one.
    await writeFile(`${path}.new`, text(snapshot(kept)), { mode: 0o600 })
    await rename(`${path}.new`, path)
    lines = 0
  }

  /** What comes while the last write is on its way goes together in the next. */
  const change = (line: Line): Promise<void> => {
    apply(kept, line)
    batch.push(line)
    if (!next) {
      next = writing.then(write)
      writing = next.catch(() => {})
    }
    return next
  }

  return {
    async load(): Promise<Kept> {
      kept = parse(await readOrMake(path))
      lines = COMPACT_AFTER
      const { owner, cursor, outbox } = kept
      return { owner, cursor, outbox: [...outbox.values()] }
    },
    setOwner: (owner) => change({ owner }),
    setCursor: (cursor) => change({ cursor }),
    put: (entry) => change({ put: entry }),
    remove: (client_id) => change({ remove: client_id }),
    close: () => writing,
  }
}

type State = Omit<Kept, 'outbox'> & { outbox: Map<string, OutboxEntry> }

const readOrMake = async (path: string): Promise<string> => {
  await appendFile(path, '', { mode: 0o600 })
  return readFile(path, 'utf8')
}

const parse = (file: string): State => {
  const state: State = { owner: undefined, cursor: undefined, outbox: new Map() }
  const lines = file.split('\n')
  // A line without its end was being written when the process ended.
  for (const line of lines.slice(0, -1)) apply(state, JSON.parse(line) as Line)
  return state
}

const apply = (state: State, line: Line) => {
  if ('owner' in line) state.owner = line.owner
  else if ('cursor' in line) state.cursor = line.cursor
  else if ('remove' in line) state.outbox.delete(line.remove)
  else if (!state.outbox.has(line.put.client_id)) state.outbox.set(line.put.client_id, line.put)
}

const snapshot = ({ owner, cursor, outbox }: State): Line[] => [
  ...(owner === undefined ? [] : [{ owner }]),
  ...(cursor === undefined ? [] : [{ cursor }]),
  ...[...outbox.values()].map((put) => ({ put })),
]

const text = (lines: Line[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join('')
