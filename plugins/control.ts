import { once } from 'node:events'
import type { Server } from 'node:net'
import plugin from 'fastify-plugin'
import { runCommand } from '../src/operator/commands.ts'
import { controlAddress, serveControl } from '../src/operator/control.ts'

/** Lets the operator have things changed while the server runs: the database is its alone. */
export const control = plugin(
  async (app) => {
    let server: Server | undefined
    app.addHook('onListen', async () => {
      const address = controlAddress(app.database.beside('control'))
      if (!address) {
        app.log.warn('the path of the database is too long for a socket beside it: no admin while this runs')
        return
      }
      server = serveControl(address, async (request) => {
        const { command } = request as { command?: string }
        const reply = await runCommand(app, request)
        app.log.info({ command, ok: reply.ok }, 'operator')
        return reply
      })
      server.on('error', (error) => app.log.warn({ err: error }, 'no admin while this runs'))
    })
    app.addHook('preClose', async () => {
      if (!server?.listening) return
      server.close()
      await once(server, 'close')
    })
  },
  { name: 'control', dependencies: ['auth'] },
)
