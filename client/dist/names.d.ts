/** @returns the key by which the server compares names: the NFC form of the name under Unicode's full case folding */
export declare const foldName: (name: string) => string;
