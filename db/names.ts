/** @returns what two names are compared by: their NFC form without case, as Unicode's full case folding has it. */
export const foldName = (name: string) =>
  name
    .normalize('NFC')
    .toUpperCase()
    .toLowerCase()
    // JavaScript gives a sigma at the end of a word its other form: a prefix must fold as the whole does.
    .replaceAll('ς', 'σ')
    .normalize('NFC')
