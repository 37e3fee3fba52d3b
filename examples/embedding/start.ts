// Starts the server of the chat on port 3000 and the app on port 8080: npm run example
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const { FOLDER = 'embedding-data', PORT = '3000', APP_PORT = '8080' } = process.env
const app = `http://localhost:${APP_PORT}`
mkdirSync(FOLDER, { recursive: true })

// The server trusts tokens that the app signs, and accepts no logins of its own.
const issuer = { issuer: app, audience: 'chat', algorithms: ['RS256'], jwks_url: `${app}/jwks.json` }
const serverEnv = {
  PORT,
  AUTH_MODE: 'external',
  TOKEN_ISSUERS: JSON.stringify([issuer]),
  CORS_ORIGINS: app,
  WEBHOOK_ALLOW_PRIVATE: '1',
}
const script = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const start = (path: string, env: object) =>
  spawn(process.execPath, [script(path)], { cwd: FOLDER, env: { ...process.env, ...env }, stdio: 'inherit' })

const keyFile = `${FOLDER}/server.key`
if (!existsSync(keyFile)) {
  const args = [script('../../bin/admin.js'), 'key', 'create', 'shop', '--json']
  const { key } = JSON.parse(execFileSync(process.execPath, args, { cwd: FOLDER, encoding: 'utf8' }))
  writeFileSync(keyFile, key, { mode: 0o600 })
}
const MESSENGER_KEY = readFileSync(keyFile, 'utf8')
const children = [
  start('../../bin/messenger.js', serverEnv),
  start('app.ts', { PORT: APP_PORT, MESSENGER_URL: `http://localhost:${PORT}`, MESSENGER_KEY }),
]
const stop = () => children.forEach((child) => child.kill('SIGTERM'))
process.on('SIGINT', stop).on('SIGTERM', stop)
for (const child of children) child.on('exit', stop)
