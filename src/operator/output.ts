/** @returns rows as text with aligned columns. The last column is not padded, so it may hold names of any script. */
export const table = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] as readonly string[]).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] as string).length)),
  )
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] as number)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n')
}

/** Characters that control a terminal or change the direction of text. */
const unsafe = /[\p{C}\p{Zl}\p{Zp}]/gu

/** @returns a username that is safe to print. Usernames of an imported database may contain any character. */
export const printable = (name: string): string =>
  name.replaceAll(
    unsafe,
    (character) => `<U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}>`,
  )

/** @returns JSON on one line that is safe to print */
export const json = (value: unknown): string =>
  JSON.stringify(value).replaceAll(unsafe, (character) =>
    // RFC 8259, section 7 escapes UTF-16 code units.
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )
