/**
 * @param url of the options; by default the origin of the page
 * @returns the address that paths are appended to, without a slash at its end
 * @throws MessengerError `INVALID_OPTION` with the address that was probably meant
 */
export declare const serverUrl: (url?: string | undefined) => string;
