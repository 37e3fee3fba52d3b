import { chmodSync, existsSync, readFileSync } from 'node:fs'
import type { Texts } from '../../database.ts'
import { writeDurably } from './durable.ts'
import { ownLikeDatabase } from './owner.ts'

/** Stores each text in a file beside the database, with mode 0600 and the owner of the database. */
export const createTexts = (path: string): Texts => {
  const locate = (name: string) => `${path}.${name}`
  return {
    locate,
    async read(name) {
      if (!existsSync(locate(name))) return undefined
      chmodSync(locate(name), 0o600)
      return readFileSync(locate(name), 'utf8')
    },
    async write(name, text, replace) {
      writeDurably(locate(name), text, { replace, own: (file) => ownLikeDatabase(file, path) })
    },
  }
}
