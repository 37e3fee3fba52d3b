import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Message } from '../../schemas/message.ts'
import type { HistoryPage } from '../chat/history.ts'

/**
 * Names the pages beside one in the `Link` header (RFC 8288): `prev` to older, `next` to newer messages.
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
  if (links.length > 0) reply.header('Link', links.join(', '))
  return messages
}
