import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { db } from './database.ts'
import { asApp } from './as-app.ts'

export type User = { username: string; name: string }

/** The app's users and their sessions. A real app checks a password. */
export const sessions = async (app: FastifyInstance) => {
  app.post<{ Body: User }>('/login', async ({ body: { username, name } }, reply) => {
    const id = randomUUID()
    db.prepare('insert or ignore into users values (?, ?)').run(username, name)
    db.prepare('insert into sessions values (?, ?)').run(id, username)
    return reply.setCookie('session', id, { httpOnly: true, sameSite: 'lax' }).send({ username })
  })

  app.post('/logout', async (request, reply) => {
    const { username } = userOf(request)
    db.prepare('delete from sessions where username = ?').run(username)
    // The tokens of the chat end with the sessions of the app, and its sockets close.
    await asApp('POST', `/users/${encodeURIComponent(username)}/logout`)
    return reply.send({ username })
  })
}

/** @throws an error with the status 401 */
export const userOf = ({ cookies }: Pick<FastifyRequest, 'cookies'>): User => {
  const find = db.prepare<unknown[], User>('select * from users natural join sessions where id = ?')
  const user = find.get(cookies.session)
  if (!user) throw Object.assign(new Error('Log in first.'), { statusCode: 401 })
  return user
}
