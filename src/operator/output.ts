/** @returns rows in columns that spaces align; the last column has no fixed width, so it may hold names of any script. */
export const table = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] as readonly string[]).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] as string).length)),
  )
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] as number)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n')
}

/** Characters that a terminal obeys, or that make it show others in another order. */
const unsafe = /[\p{C}\p{Zl}\p{Zp}]/gu

/** @returns a name of an account that can be shown. Names of a database that was taken over may hold anything. */
export const plain = (name: string): string =>
  name.replaceAll(
    unsafe,
    (character) => `<U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}>`,
  )

/** @returns JSON on one line that can be shown. */
export const json = (value: unknown): string =>
  JSON.stringify(value).replaceAll(unsafe, (character) =>
    // Code units, as RFC 8259 (section 7) escapes them.
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )
