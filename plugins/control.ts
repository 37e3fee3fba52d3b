import plugin from 'fastify-plugin'
import { runCommand } from '../src/operator/commands.ts'
import { controlAddress, type Reply, serveControl } from '../src/operator/control.ts'

/** Runs the operator's commands, because only this process may write to the database while it runs. */
export const control = plugin(
  async (app) => {
    let served: ReturnType<typeof serveControl> | undefined
    const execute = async (text: string): Promise<Reply> => {
      const request = parse(text)
      if (!request) return { ok: false, message: 'The request is not a command.' }
      try {
        const reply = await runCommand(app, request)
        app.log.info({ command: request.command, ok: reply.ok }, 'operator')
        return reply
      } catch (error) {
        app.log.error({ err: error }, 'operator')
        return { ok: false, message: 'The command failed. The log of the server has the cause.' }
      }
    }
    app.addHook('onListen', async () => {
      const { controlPath } = app.database
      if (controlPath === undefined) return
      const address = controlAddress(controlPath)
      if (!address) {
        app.log.warn(
          'the path of the database is too long for a control socket; stop the server to run admin commands',
        )
        return
      }
      served = serveControl(address, execute)
      served.server.on('error', (error) =>
        app.log.warn({ err: error }, 'the control socket failed; stop the server to run admin commands'),
      )
    })
    app.addHook('preClose', async () => served?.close())
  },
  { name: 'control', dependencies: ['database', 'chat', 'auth'] },
)

/** @returns the parsed command, or undefined. Never log it: it may contain a password. */
const parse = (text: string): { command?: string } | undefined => {
  try {
    return JSON.parse(text) ?? undefined
  } catch {
    return undefined
  }
}
