import { type Conversation, foldName } from '@messenger/client'

/** The conversation that a tab shows: the peer of a direct conversation, which may not exist yet, or the id of a group. */
export type Route = { peer: string } | { group: number }

export const routeOf = ({ id, kind, peer }: Pick<Conversation, 'id' | 'kind' | 'peer'>): Route =>
  kind === 'direct' && peer !== undefined ? { peer } : { group: id }

export const isSameRoute = (a: Route | undefined, b: Route | undefined) =>
  a !== undefined && b !== undefined && keyOf(a) === keyOf(b)

const keyOf = (route: Route) => ('peer' in route ? foldName(route.peer) : route.group)

/** @returns the route as the part of the URL after `#` */
export const routeHash = (route: Route) =>
  'peer' in route ? `with/${encodeURIComponent(route.peer)}` : `group/${route.group}`

/** @param hash the part of the URL after `#`, with or without it */
export const parseRoute = (hash: string): Route | undefined => {
  const [, kind, rest = ''] = /^#?(with|group)\/(.+)$/.exec(hash) ?? []
  if (kind === 'group' && /^\d{1,15}$/.test(rest)) return { group: Number(rest) }
  if (kind !== 'with') return undefined
  try {
    return { peer: decodeURIComponent(rest) }
  } catch {
    return undefined
  }
}

export const titleOf = ({ kind, peer, title }: Conversation) => (kind === 'direct' ? peer : title) ?? ''
