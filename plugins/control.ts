import plugin from 'fastify-plugin'
import { runCommand } from '../src/operator/commands.ts'
import { controlAddress, type Reply, serveControl } from '../src/operator/control.ts'

/** Lets the operator have things changed while the server runs: the database is its alone. */
export const control = plugin(
  async (app) => {
    let served: ReturnType<typeof serveControl> | undefined
    const answer = async (text: string): Promise<Reply> => {
      const request = parse(text)
      if (!request) return { ok: false, message: 'This is no command.' }
      try {
        const reply = await runCommand(app, request)
        app.log.info({ command: request.command, ok: reply.ok }, 'operator')
        return reply
      } catch (error) {
        app.log.error({ err: error }, 'operator')
        return { ok: false, message: 'The server could not do it; its log says why.' }
      }
    }
    app.addHook('onListen', async () => {
      const address = controlAddress(app.database.beside('control'))
      if (!address) {
        app.log.warn('the path of the database is too long for a socket beside it: no admin while this runs')
        return
      }
      served = serveControl(address, answer)
      served.server.on('error', (error) => app.log.warn({ err: error }, 'no admin while this runs'))
    })
    app.addHook('preClose', async () => served?.close())
  },
  { name: 'control', dependencies: ['auth'] },
)

/** Nothing of it is logged: it may hold a password. */
const parse = (text: string): { command?: string } | undefined => {
  try {
    return JSON.parse(text) ?? undefined
  } catch {
    return undefined
  }
}
