/**
 * @param text an object in valid JSON
 * @returns whether no member of the object, apart from those of inner objects, has the name of another one. JSON.parse takes the
 *   last of them without an error.
 */
export const hasUniqueNames = (text: string): boolean => {
  const names = new Set<string>()
  let depth = 0
  for (const [token, string, colon] of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g)) {
    if (string === undefined) depth += token === '{' || token === '[' ? 1 : -1
    else if (depth === 1 && colon !== undefined) {
      const name = JSON.parse(string) as string
      if (names.has(name)) return false
      names.add(name)
    }
  }
  return true
}
