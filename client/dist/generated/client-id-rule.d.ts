export declare const clientIdRule: {
    readonly maxLength: 64;
    readonly pattern: "^[\\x20-\\x7e]+$";
};
