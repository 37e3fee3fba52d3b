import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Message } from '../../schemas/message.ts'
import type { HistoryPage } from '../chat/history.ts'

/**
 * Sets `Has-Older`, `Has-Newer` and the `Link` header (RFC 8288): `prev` leads to older, `next` to newer messages.
 * @returns the messages of the page
 */
export const linkPages = (
  { url, query }: Pick<FastifyRequest, 'url'> & { query: { limit: number } },
  reply: FastifyReply,
  { messages, older, newer }: HistoryPage,
): Message[] => {
  const [path] = url.split('?', 1)
  const link = (side: 'before' | 'after', message: Message | undefined, rel: string) =>
    message ? [`<${path}?limit=${query.limit}&${side}=${message.id}>; rel="${rel}"`] : []
  const links = [
    ...link('before', older ? messages[0] : undefined, 'prev'),
    ...link('after', newer ? messages.at(-1) : undefined, 'next'),
  ]
  // An empty page has no message id to continue from.
  const isEmpty = messages.length === 0
  reply.header('Has-Older', String(older && !isEmpty)).header('Has-Newer', String(newer && !isEmpty))
  if (links.length > 0) reply.header('Link', links.join(', '))
  return messages
}
