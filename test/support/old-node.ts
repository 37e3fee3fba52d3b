import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const major = (path: string) =>
  Number.parseInt(execFileSync(path, ['-p', 'process.versions.node'], { env: {}, encoding: 'utf8' }), 10)

/** The Node.js of this machine, if it is one of the versions from 20 to 23, which cannot run the server. */
export const oldNode: string | undefined = ['/usr/local/bin/node', '/usr/bin/node'].find(
  (path) => existsSync(path) && major(path) >= 20 && major(path) < 24,
)
