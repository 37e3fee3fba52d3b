/** Whether `DATABASE_URL` names a database in PostgreSQL. */
export const isPostgres = (url: string) => /^postgres(ql)?:/.test(url)

/** The forms of `DATABASE_URL`, for errors. */
export const FORMS =
  'It must be "sqlite:" and the path of a file, such as sqlite:messenger.db, or the URL of a database in PostgreSQL, such as postgres://user:password@host/messenger'

/** @returns `url` without its password, for logs and errors */
export const withoutPassword = (url: string): string => {
  if (url.startsWith('sqlite:')) return url
  const parsed = url.includes('://') ? URL.parse(url) : null
  // What is no URL may have its password anywhere before the host or in the query.
  if (!parsed) return url.replace(/\?.*$/s, '').replace(/^([a-z]+:\/\/)?.*@/s, '$1…@')
  parsed.password = ''
  for (const name of ['password', 'sslpassword']) parsed.searchParams.delete(name)
  return parsed.href
}
