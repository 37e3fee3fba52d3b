/** @returns what two names are compared by: their NFC form without case, as Unicode's full case folding has it. */
export const foldName = (name: string) => name.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC')
