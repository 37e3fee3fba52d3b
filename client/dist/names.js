/** @returns the key by which the server compares names: the NFC form of the name under Unicode's full case folding */
export const foldName = (name) => name
    .normalize('NFC')
    .toUpperCase()
    .toLowerCase()
    // JavaScript lowercases a final sigma to another letter. A prefix must fold like the whole name.
    .replaceAll('ς', 'σ')
    .normalize('NFC');
//# sourceMappingURL=names.js.map