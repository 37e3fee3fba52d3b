export { newClientId } from "./client-id.js";
export { MessengerError } from "./error.js";
export { closeCodes } from "./generated/close-codes.js";
export { login, unwrap } from "./http.js";
export { Messenger } from "./messenger.js";
export { foldName } from "./names.js";
export { memoryStorage, webStorage, } from "./storage.js";
//# sourceMappingURL=index.js.map