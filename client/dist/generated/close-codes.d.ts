export declare const closeCodes: {
    readonly "1001": {
        readonly name: "going away";
        readonly reconnect: "resume";
        readonly why: "the server stops or restarts";
    };
    readonly "1002": {
        readonly name: "protocol error";
        readonly reconnect: "fix";
        readonly why: "a frame violated RFC 6455";
    };
    readonly "1003": {
        readonly name: "unsupported data";
        readonly reconnect: "fix";
        readonly why: "a binary frame; frames are JSON text";
    };
    readonly "1007": {
        readonly name: "invalid data";
        readonly reconnect: "fix";
        readonly why: "a frame was not UTF-8";
    };
    readonly "1008": {
        readonly name: "policy violation";
        readonly reconnect: "fix";
        readonly why: "a frame had more than 16,384 fragments";
    };
    readonly "1009": {
        readonly name: "too big";
        readonly reconnect: "fix";
        readonly why: "a frame was longer than `limits.max_frame_bytes`";
    };
    readonly "1011": {
        readonly name: "internal error";
        readonly reconnect: "resume";
        readonly why: "the server failed unexpectedly";
    };
    readonly "1013": {
        readonly name: "try again later";
        readonly reconnect: "resume";
        readonly why: "the server is overloaded; this version answers the handshake with 503 instead and keeps open sockets";
    };
    readonly "4400": {
        readonly name: "too many bad frames";
        readonly reconnect: "fix";
        readonly why: "ten frames within one minute were invalid";
    };
    readonly "4401": {
        readonly name: "token ended";
        readonly reconnect: "renew";
        readonly why: "the token expired or was revoked";
    };
    readonly "4403": {
        readonly name: "suspended";
        readonly reconnect: "fix";
        readonly why: "the account was suspended";
    };
    readonly "4408": {
        readonly name: "no heartbeat";
        readonly reconnect: "resume";
        readonly why: "the client sent nothing for two heartbeats";
    };
    readonly "4409": {
        readonly name: "too many sockets";
        readonly reconnect: "fix";
        readonly why: "the user has the maximum number of open sockets";
    };
    readonly "4410": {
        readonly name: "too slow";
        readonly reconnect: "resume";
        readonly why: "the client read more slowly than events arrived; resume from your cursor";
    };
    readonly "4429": {
        readonly name: "too fast";
        readonly reconnect: "resume";
        readonly why: "the client exceeded the frame rate for 10 s";
    };
};
