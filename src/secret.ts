import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'

/**
 * @param path the file that keeps the secret, beside the database.
 * @returns the secret that is kept there; at the first start one is made, readable by its owner only.
 */
export const keptSecret = (path: string): string => {
  if (!existsSync(path))
    writeFileSync(path, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
  chmodSync(path, 0o600)
  return readFileSync(path, 'utf8').trim()
}
