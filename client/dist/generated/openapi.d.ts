export interface paths {
    "/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log in by name; makes the account if absent
         * @description Without a password where the account has none and the server runs with `AUTH_MODE=open`.
         */
        post: operations["login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/token": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A fresh token for a valid one
         * @description The token that asks stays valid until it ends. On an open socket a fresh one is handed over with an `auth` frame.
         */
        post: operations["renewToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Revoke this token, or all of mine; their sockets close
         * @description The token ends at once, and so do the sockets that were opened with it.
         */
        post: operations["logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * My account
         * @description Whose token this is: also the way to find out whether it still holds.
         */
        get: operations["getMe"];
        put?: never;
        post?: never;
        /**
         * Remove my account; its name stays taken, its messages stay
         * @description Tokens end, sockets close, groups are left. There is no way back.
         */
        delete: operations["removeMe"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/me/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Set or change my password; my other tokens end
         * @description An account that has a password needs it as `current_password`. The token that asks stays valid.
         */
        put: operations["setPassword"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * People to write to, by the beginning of their name
         * @description By name, as many as `limit`; with an empty `prefix` the first of all.
         */
        get: operations["findUsers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/send": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a message; the answer means that it is on disk
         * @description The same `client_id` again is the same message: the answer is the original, as it is now, with `Idempotent-Replayed: true`. The header `Idempotency-Key` is another way to give it.
         */
        post: operations["sendMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/history/{username}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * My messages with somebody, oldest first
         * @description The newest page unless told otherwise; `Link` names the pages beside it. Of long messages a page has fewer than `limit`, about 1 MiB.
         */
        get: operations["getHistory"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/messages/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Empty my message; it keeps its place
         * @description Everybody who has the message gets it anew, with empty content and `deleted_at`. To delete it again changes nothing.
         */
        delete: operations["deleteMessage"];
        options?: never;
        head?: never;
        /**
         * Replace the content of my message
         * @description Everybody who has the message gets it anew, with `edited_at`. The same content again changes nothing.
         */
        patch: operations["editMessage"];
        trace?: never;
    };
    "/conversations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * My conversations, by newest message
         * @description With the events after the `cursor` of its first page the list is complete. A group that one has left stays, without `role`.
         */
        get: operations["listConversations"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/conversations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One of my conversations
         * @description One that I left is shown as I left it.
         */
        get: operations["getConversation"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/conversations/{id}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The messages of a conversation that I may read, oldest first
         * @description The newest page unless told otherwise; `Link` names the pages beside it. Of long messages a page has fewer than `limit`, about 1 MiB.
         */
        get: operations["listMessages"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/conversations/{id}/members": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who is in a conversation, with role and marks
         * @description The oldest member first. For a conversation that I left: nobody.
         */
        get: operations["listMembers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/conversations/{id}/receipt": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Move my marks forward
         * @description They are clamped to the newest message, and what is read is delivered. The answer is where they are.
         */
        put: operations["putReceipt"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/groups": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make a group, which I own
         * @description The group has me, its owner, and the named: 256 members at most.
         */
        post: operations["createGroup"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/groups/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Give my group another title
         * @description Only its owner may. The same title again changes nothing.
         */
        patch: operations["renameGroup"];
        trace?: never;
    };
    "/groups/{id}/members/{username}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Add somebody to my group
         * @description Only its owner may. To add a member again changes nothing.
         */
        put: operations["addMember"];
        post?: never;
        /**
         * Take somebody out of my group, or leave one by my own name
         * @description Only its owner may take out others; anybody may leave. When the owner leaves, the oldest member inherits.
         */
        delete: operations["removeMember"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/blocks/{username}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Block somebody in our direct conversation
         * @description Neither of the two can send to the other from now on, nor sees the other’s presence, typing or receipts. To block again changes nothing.
         */
        put: operations["blockUser"];
        post?: never;
        /**
         * End a block
         * @description Where there is no block, nothing changes.
         */
        delete: operations["unblockUser"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/blocks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whom I block
         * @description The latest first.
         */
        get: operations["listBlocks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sync": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What happened to me after a cursor: the frames that a socket gets
         * @description Without a cursor: the cursor of now, and no events. With `wait` it waits that long for the first. Of long messages a page has fewer than `limit`, about 1 MiB.
         */
        get: operations["sync"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ws": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The WebSocket; `/asyncapi.json` describes its frames
         * @description Offer the subprotocol `messenger.v1`. A browser, which can’t set a header, offers its token beside it as `bearer.` and the token. Without a subprotocol the socket only sends and receives direct messages.
         */
        get: operations["connect"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the process answers
         * @description Looks at nothing else.
         */
        get: operations["getLive"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether messages can be stored and read
         * @description Reads from the database, and writes what changes nothing.
         */
        get: operations["getReady"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Counters of this process, as Prometheus reads them
         * @description Counters, gauges and histograms, each with a sentence on what it counts.
         */
        get: operations["getMetrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The HTTP API, as OpenAPI 3.1
         * @description This document.
         */
        get: operations["getOpenApi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/asyncapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The socket, as AsyncAPI 3
         * @description Every frame, in both directions.
         */
        get: operations["getAsyncApi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @description Who logs in; the password where the account has one, or the server wants one.
         * @example {
         *       "username": "alice"
         *     }
         */
        LoginRequest: {
            /** @description 1 to 64 letters, digits, `.`, `_` or `-`, and not `.` or `..`; compared without case. */
            username: string;
            /** Format: text */
            password?: string;
        };
        /**
         * @description One’s own account.
         * @example {
         *       "id": 1,
         *       "username": "alice",
         *       "has_password": false
         *     }
         */
        Me: {
            id: number;
            /** @description As first written. */
            username: string;
            has_password: boolean;
        };
        /**
         * @description The new password, and the one that the account has, if it has one.
         * @example {
         *       "password": "a long sentence is a good password"
         *     }
         */
        PasswordRequest: {
            /** Format: text */
            password: string;
            /** Format: text */
            current_password?: string;
        };
        /**
         * @description A token, and whose it is.
         * @example {
         *       "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
         *       "expires_at": "2026-11-21T09:00:00.000Z",
         *       "user": {
         *         "id": 1,
         *         "username": "alice"
         *       }
         *     }
         */
        Session: {
            /** @description A JSON Web Token, for `Authorization: Bearer`. */
            token: string;
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            expires_at: string;
            user: components["schemas"]["User"];
        };
        /**
         * @description A person.
         * @example {
         *       "id": 2,
         *       "username": "bob"
         *     }
         */
        User: {
            id: number;
            /** @description As first written. */
            username: string;
        };
        /**
         * @description People, by name.
         * @example {
         *       "users": [
         *         {
         *           "id": 2,
         *           "username": "bob"
         *         }
         *       ]
         *     }
         */
        UserList: {
            users: components["schemas"]["User"][];
        };
        /**
         * @description Somebody whom I block, and since when.
         * @example {
         *       "username": "bob",
         *       "blocked_at": "2026-11-20T09:03:00.000Z"
         *     }
         */
        Block: {
            /** @description As first written. */
            username: string;
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            blocked_at: string;
        };
        /**
         * @description Whom I block, the latest first.
         * @example {
         *       "blocks": [
         *         {
         *           "username": "bob",
         *           "blocked_at": "2026-11-20T09:03:00.000Z"
         *         }
         *       ]
         *     }
         */
        BlockList: {
            blocks: components["schemas"]["Block"][];
        };
        /**
         * @description A conversation as I see it: a direct one has `peer` and that one’s marks, a group `title` and my `role`.
         * @example {
         *       "id": 1,
         *       "kind": "direct",
         *       "peer": "alice",
         *       "peer_delivered_up_to": 0,
         *       "peer_read_up_to": 0,
         *       "member_count": 2,
         *       "last_message": {
         *         "id": 2,
         *         "conversation_id": 1,
         *         "sender": "alice",
         *         "sender_id": 1,
         *         "content": "Lunch on Friday?",
         *         "timestamp": "2026-11-20T09:00:00.000Z",
         *         "receiver": "bob",
         *         "receiver_id": 2
         *       },
         *       "unread_count": 1,
         *       "delivered_up_to": 0,
         *       "read_up_to": 0
         *     }
         * @example {
         *       "id": 2,
         *       "kind": "group",
         *       "title": "Friday lunch",
         *       "role": "owner",
         *       "member_count": 2,
         *       "unread_count": 0,
         *       "delivered_up_to": 0,
         *       "read_up_to": 0
         *     }
         * @example {
         *       "id": 2,
         *       "kind": "group",
         *       "title": "Saturday lunch",
         *       "role": "owner",
         *       "member_count": 2,
         *       "unread_count": 0,
         *       "delivered_up_to": 0,
         *       "read_up_to": 0
         *     }
         * @example {
         *       "id": 2,
         *       "kind": "group",
         *       "title": "Saturday lunch",
         *       "role": "owner",
         *       "member_count": 3,
         *       "unread_count": 0,
         *       "delivered_up_to": 0,
         *       "read_up_to": 0
         *     }
         */
        Conversation: {
            id: number;
            /** @enum {string} */
            kind: "direct" | "group";
            /** @description As first written. */
            peer?: string;
            title?: string;
            /**
             * @description Absent once one has left.
             * @enum {string}
             */
            role?: "owner" | "member";
            member_count: number;
            last_message?: components["schemas"]["Message"];
            unread_count: number;
            delivered_up_to: number;
            read_up_to: number;
            peer_delivered_up_to?: number;
            peer_read_up_to?: number;
        };
        /**
         * @description By newest message.
         * @example {
         *       "conversations": [
         *         {
         *           "id": 1,
         *           "kind": "direct",
         *           "peer": "alice",
         *           "peer_delivered_up_to": 0,
         *           "peer_read_up_to": 0,
         *           "member_count": 2,
         *           "last_message": {
         *             "id": 2,
         *             "conversation_id": 1,
         *             "sender": "alice",
         *             "sender_id": 1,
         *             "content": "Lunch on Friday?",
         *             "timestamp": "2026-11-20T09:00:00.000Z",
         *             "receiver": "bob",
         *             "receiver_id": 2
         *           },
         *           "unread_count": 1,
         *           "delivered_up_to": 0,
         *           "read_up_to": 0
         *         }
         *       ],
         *       "cursor": "h2TqYw9k.2"
         *     }
         */
        ConversationList: {
            conversations: components["schemas"]["Conversation"][];
            /** @description Where the next page begins; absent on the last one. */
            before?: number;
            /** @description Opaque: where a stream goes on. */
            cursor: string;
        };
        /**
         * @description A title, and who is in the group beside me.
         * @example {
         *       "title": "Friday lunch",
         *       "members": [
         *         "bob"
         *       ]
         *     }
         */
        GroupRequest: {
            /** Format: text */
            title: string;
            members: string[];
        };
        /**
         * @description One who is in a conversation.
         * @example {
         *       "user_id": 1,
         *       "username": "alice",
         *       "role": "member",
         *       "delivered_up_to": 0,
         *       "read_up_to": 0
         *     }
         */
        Member: {
            user_id: number;
            /** @description As first written. */
            username: string;
            /** @enum {string} */
            role: "owner" | "member";
            delivered_up_to: number;
            read_up_to: number;
        };
        /**
         * @description Who is in a conversation, the oldest member first.
         * @example {
         *       "members": [
         *         {
         *           "user_id": 1,
         *           "username": "alice",
         *           "role": "member",
         *           "delivered_up_to": 0,
         *           "read_up_to": 0
         *         },
         *         {
         *           "user_id": 2,
         *           "username": "bob",
         *           "role": "member",
         *           "delivered_up_to": 0,
         *           "read_up_to": 0
         *         }
         *       ]
         *     }
         */
        MemberList: {
            members: components["schemas"]["Member"][];
        };
        /**
         * @description Somebody’s marks in a conversation, as they are now.
         * @example {
         *       "conversation_id": 1,
         *       "username": "bob",
         *       "delivered_up_to": 2,
         *       "read_up_to": 2
         *     }
         */
        Receipt: {
            conversation_id: number;
            /** @description As first written. */
            username: string;
            delivered_up_to: number;
            read_up_to: number;
        };
        /**
         * @description Message ids up to which all was delivered or read.
         * @example {
         *       "read_up_to": 2
         *     }
         */
        ReceiptRequest: {
            delivered_up_to?: number;
            read_up_to?: number;
        };
        /**
         * @description The new title.
         * @example {
         *       "title": "Saturday lunch"
         *     }
         */
        RenameRequest: {
            /** Format: text */
            title: string;
        };
        /** @description An OpenAPI or AsyncAPI document, as JSON. */
        Document: Record<string, never>;
        /**
         * @description Answers a frame. That of a change carries its cursor and stands in order among the other frames.
         * @example {
         *       "type": "ack",
         *       "id": "a1",
         *       "cursor": "h2TqYw9k.2",
         *       "message": {
         *         "id": 2,
         *         "conversation_id": 1,
         *         "sender": "alice",
         *         "sender_id": 1,
         *         "content": "Lunch on Friday?",
         *         "timestamp": "2026-11-20T09:00:00.000Z",
         *         "receiver": "bob",
         *         "receiver_id": 2,
         *         "client_id": "0199f3c2-7a41-7c10-9f2e-51c0a4e3b7d8"
         *       }
         *     }
         * @example {
         *       "type": "ack",
         *       "id": "b1",
         *       "cursor": "h2TqYw9k.3",
         *       "receipt": {
         *         "conversation_id": 1,
         *         "username": "bob",
         *         "delivered_up_to": 2,
         *         "read_up_to": 2
         *       }
         *     }
         * @example {
         *       "type": "ack",
         *       "id": "a4"
         *     }
         */
        AckFrame: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "ack";
            /**
             * Format: text
             * @description Returned by the `ack` or `error` that answers this frame.
             */
            id?: string;
            /** @description Opaque: where a stream goes on. */
            cursor?: string;
            message?: components["schemas"]["Message"];
            receipt?: components["schemas"]["Receipt"];
            /** @description A repeat: the original message, as it is now. */
            duplicate?: boolean;
        };
        /** @description What a client sends; a frame without `type` is a `send`. */
        ClientFrame: components["schemas"]["SendFrame"] | components["schemas"]["EditFrame"] | components["schemas"]["DeleteFrame"] | components["schemas"]["ReceiptFrame"] | components["schemas"]["TypingFrame"] | components["schemas"]["WatchFrame"] | components["schemas"]["AuthFrame"] | components["schemas"]["PingFrame"];
        /** @description What the server sends. */
        ServerFrame: components["schemas"]["HelloFrame"] | components["schemas"]["MessageFrame"] | components["schemas"]["MessageUpdatedFrame"] | components["schemas"]["ReceiptUpdateFrame"] | components["schemas"]["ConversationFrame"] | components["schemas"]["TypingUpdateFrame"] | components["schemas"]["PresenceFrame"] | components["schemas"]["CaughtUpFrame"] | components["schemas"]["AckFrame"] | components["schemas"]["ErrorFrame"] | components["schemas"]["PongFrame"];
        /**
         * @description Ends a replay.
         * @example {
         *       "type": "caught_up",
         *       "cursor": "h2TqYw9k.5"
         *     }
         */
        CaughtUpFrame: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "caught_up";
            /** @description Opaque: where a stream goes on. */
            cursor: string;
        };
        /**
         * @description A conversation was made or renamed, or somebody came or left.
         * @example {
         *       "type": "conversation",
         *       "cursor": "h2TqYw9k.1",
         *       "conversation_id": 1,
         *       "kind": "direct",
         *       "peer": "alice",
         *       "member_count": 2,
         *       "you": "joined"
         *     }
         */
        ConversationFrame: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "conversation";
            /** @description Opaque: where a stream goes on. */
            cursor: string;
            conversation_id: number;
            /** @enum {string} */
            kind: "direct" | "group";
            title?: string;
            /** @description As first written. */
            peer?: string;
            member_count: number;
            /** @enum {string} */
            you: "joined" | "member" | "left";
        };
        /**
         * @description What was wrong with a frame, as a problem of HTTP.
         * @example {
         *       "type": "error",
         *       "id": "a7",
         *       "retryable": false,
         *       "problem": {
         *         "type": "urn:messenger:problem:user-not-found",
         *         "title": "No such user",
         *         "status": 404,
         *         "detail": "Nobody has this name.",
         *         "code": "USER_NOT_FOUND",
         *         "errors": [
         *           {
         *             "path": "/receiver_username",
         *             "message": "Nobody has this name."
         *           }
         *         ],
         *         "request_id": "5f1c9a20-1-1"
         *       }
         *     }
         */
        ErrorFrame: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "error";
            /**
             * Format: text
             * @description Returned by the `ack` or `error` that answers this frame.
             */
            id?: string;
            retryable: boolean;
            /** @description Seconds. */
            retry_after?: number;
            problem: components["schemas"]["Problem"];
        };
        /** @description A frame that stands in the stream: it has a cursor, and `/sync` gives the same. */
        Event: components["schemas"]["MessageFrame"] | components["schemas"]["MessageUpdatedFrame"] | components["schemas"]["ReceiptUpdateFrame"] | components["schemas"]["ConversationFrame"];
        /**
         * @description The first frame, unless an `error` before it says that the cursor is unknown; its cursor is where this stream goes on.
         * @example {
         *       "type": "hello",
         *       "user": {
         *         "id": 2,
         *         "username": "bob"
         *       },
         *       "cursor": "h2TqYw9k.0",
         *       "heartbeat_ms": 30000,
         *       "limits": {
         *         "max_message_length": 4096,
         *         "max_frame_bytes": 65536,
         *         "max_metadata_bytes": 1024,
         *         "frames_per_second": 200,
         *         "sends_per_minute": 6000
         *       }
         *     }
         */
        HelloFrame: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "hello";
            user: components["schemas"]["User"];
            /** @description Opaque: where a stream goes on. */
            cursor: string;
            /** @description Milliseconds; who is silent for two of them is closed. */
            heartbeat_ms: number;
            limits: components["schemas"]["Limits"];
        };
        /** @description What a client must keep to. */
        Limits: {
            /** @description Code points. */
            max_message_length: number;
            max_frame_bytes: number;
            max_metadata_bytes: number;
            frames_per_second: number;
            /** @description 0: no limit. */
            sends_per_minute: number;
        };
        /**
         * @description A new message; without a cursor on a plain socket.
         * @example {
         *       "type": "message",
         *       "cursor": "h2TqYw9k.2",
         *       "id": 2,
         *       "conversation_id": 1,
         *       "sender": "alice",
         *       "sender_id": 1,
         *       "content": "Lunch on Friday?",
         *       "timestamp": "2026-11-20T09:00:00.000Z",
         *       "receiver": "bob",
         *       "receiver_id": 2
         *     }
         */
        MessageFrame: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "message";
            /** @description Opaque: where a stream goes on. */
            cursor?: string;
            id: number;
            conversation_id: number;
            /** @description As first written. */
            sender: string;
            sender_id: number;
            /** @description As first written. */
            receiver?: string;
            receiver_id?: number;
            content: string;
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            timestamp: string;
            /** @description The sender's own key for this message: the same key again is the same message. UUIDv7 is advised. */
            client_id?: string;
            reply_to?: number;
            /** @description The app's own object, up to 1 KiB of JSON; never read by the server. */
            metadata?: {
                [key: string]: unknown;
            };
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            edited_at?: string;
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            deleted_at?: string;
        };
        /**
         * @description An edited or deleted message, as it is now.
         * @example {
         *       "type": "message_updated",
         *       "cursor": "h2TqYw9k.4",
         *       "id": 2,
         *       "conversation_id": 1,
         *       "sender": "alice",
         *       "sender_id": 1,
         *       "content": "Lunch on Friday at noon?",
         *       "timestamp": "2026-11-20T09:00:00.000Z",
         *       "receiver": "bob",
         *       "receiver_id": 2,
         *       "edited_at": "2026-11-20T09:01:00.000Z"
         *     }
         */
        MessageUpdatedFrame: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "message_updated";
            /** @description Opaque: where a stream goes on. */
            cursor: string;
            id: number;
            conversation_id: number;
            /** @description As first written. */
            sender: string;
            sender_id: number;
            /** @description As first written. */
            receiver?: string;
            receiver_id?: number;
            content: string;
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            timestamp: string;
            /** @description The sender's own key for this message: the same key again is the same message. UUIDv7 is advised. */
            client_id?: string;
            reply_to?: number;
            /** @description The app's own object, up to 1 KiB of JSON; never read by the server. */
            metadata?: {
                [key: string]: unknown;
            };
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            edited_at?: string;
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            deleted_at?: string;
        };
        /**
         * @description Answers a `ping`.
         * @example {
         *       "type": "pong",
         *       "id": "a6"
         *     }
         */
        PongFrame: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "pong";
            /**
             * Format: text
             * @description Returned by the `ack` or `error` that answers this frame.
             */
            id?: string;
        };
        /**
         * @description Whether somebody whom I watch is online; without a cursor.
         * @example {
         *       "type": "presence",
         *       "username": "bob",
         *       "online": true
         *     }
         */
        PresenceFrame: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "presence";
            /** @description As first written. */
            username: string;
            online: boolean;
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            last_seen?: string;
        };
        /**
         * @description Somebody’s marks, mine on other devices too, as they are now.
         * @example {
         *       "type": "receipt",
         *       "cursor": "h2TqYw9k.3",
         *       "conversation_id": 1,
         *       "username": "bob",
         *       "delivered_up_to": 2,
         *       "read_up_to": 2
         *     }
         */
        ReceiptUpdateFrame: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "receipt";
            /** @description Opaque: where a stream goes on. */
            cursor: string;
            conversation_id: number;
            /** @description As first written. */
            username: string;
            delivered_up_to: number;
            read_up_to: number;
        };
        /**
         * @description Events in order; the next page begins at `cursor`, and `more` says whether it has any.
         * @example {
         *       "events": [
         *         {
         *           "type": "conversation",
         *           "cursor": "h2TqYw9k.1",
         *           "conversation_id": 1,
         *           "kind": "direct",
         *           "peer": "alice",
         *           "member_count": 2,
         *           "you": "joined"
         *         },
         *         {
         *           "type": "message",
         *           "cursor": "h2TqYw9k.2",
         *           "id": 2,
         *           "conversation_id": 1,
         *           "sender": "alice",
         *           "sender_id": 1,
         *           "content": "Lunch on Friday?",
         *           "timestamp": "2026-11-20T09:00:00.000Z",
         *           "receiver": "bob",
         *           "receiver_id": 2
         *         }
         *       ],
         *       "cursor": "h2TqYw9k.2",
         *       "more": false
         *     }
         */
        SyncPage: {
            events: components["schemas"]["Event"][];
            /** @description Opaque: where a stream goes on. */
            cursor: string;
            more: boolean;
        };
        /**
         * @description Somebody is typing; without a cursor.
         * @example {
         *       "type": "typing",
         *       "conversation_id": 1,
         *       "username": "bob"
         *     }
         */
        TypingUpdateFrame: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "typing";
            conversation_id: number;
            /** @description As first written. */
            username: string;
        };
        /**
         * @description All is well.
         * @example {
         *       "status": "ok"
         *     }
         */
        Health: {
            /** @enum {string} */
            status: "ok";
        };
        /**
         * @description The new content.
         * @example {
         *       "content": "Lunch on Friday at noon?"
         *     }
         */
        EditRequest: {
            /**
             * Format: text
             * @description Returned byte for byte; at most `MAX_MESSAGE_LENGTH` (4,096) code points.
             */
            content: string;
        };
        /**
         * @description `receiver` is absent in a group; `client_id` is shown to its sender only.
         * @example {
         *       "id": 2,
         *       "conversation_id": 1,
         *       "sender": "alice",
         *       "sender_id": 1,
         *       "content": "Lunch on Friday at noon?",
         *       "timestamp": "2026-11-20T09:00:00.000Z",
         *       "receiver": "bob",
         *       "receiver_id": 2,
         *       "client_id": "0199f3c2-7a41-7c10-9f2e-51c0a4e3b7d8",
         *       "edited_at": "2026-11-20T09:01:00.000Z"
         *     }
         * @example {
         *       "id": 2,
         *       "conversation_id": 1,
         *       "sender": "alice",
         *       "sender_id": 1,
         *       "content": "",
         *       "timestamp": "2026-11-20T09:00:00.000Z",
         *       "receiver": "bob",
         *       "receiver_id": 2,
         *       "client_id": "0199f3c2-7a41-7c10-9f2e-51c0a4e3b7d8",
         *       "edited_at": "2026-11-20T09:01:00.000Z",
         *       "deleted_at": "2026-11-20T09:02:00.000Z"
         *     }
         */
        Message: {
            id: number;
            conversation_id: number;
            /** @description As first written. */
            sender: string;
            sender_id: number;
            /** @description As first written. */
            receiver?: string;
            receiver_id?: number;
            content: string;
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            timestamp: string;
            /** @description The sender's own key for this message: the same key again is the same message. UUIDv7 is advised. */
            client_id?: string;
            reply_to?: number;
            /** @description The app's own object, up to 1 KiB of JSON; never read by the server. */
            metadata?: {
                [key: string]: unknown;
            };
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            edited_at?: string;
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            deleted_at?: string;
        };
        /**
         * @description Oldest first.
         * @example [
         *       {
         *         "id": 2,
         *         "conversation_id": 1,
         *         "sender": "alice",
         *         "sender_id": 1,
         *         "content": "Lunch on Friday?",
         *         "timestamp": "2026-11-20T09:00:00.000Z",
         *         "receiver": "bob",
         *         "receiver_id": 2,
         *         "client_id": "0199f3c2-7a41-7c10-9f2e-51c0a4e3b7d8"
         *       }
         *     ]
         */
        MessageList: components["schemas"]["Message"][];
        /**
         * @description Either `receiver_username` or `conversation_id`.
         * @example {
         *       "receiver_username": "bob",
         *       "content": "Lunch on Friday?",
         *       "client_id": "0199f3c2-7a41-7c10-9f2e-51c0a4e3b7d8"
         *     }
         */
        SendRequest: {
            /** @description 1 to 64 letters, digits, `.`, `_` or `-`, and not `.` or `..`; compared without case. */
            receiver_username?: string;
            conversation_id?: number;
            /**
             * Format: text
             * @description Returned byte for byte; at most `MAX_MESSAGE_LENGTH` (4,096) code points.
             */
            content: string;
            /** @description The sender's own key for this message: the same key again is the same message. UUIDv7 is advised. */
            client_id?: string;
            reply_to?: number;
            /** @description The app's own object, up to 1 KiB of JSON; never read by the server. */
            metadata?: {
                [key: string]: unknown;
            };
        };
        /**
         * @description The message as it is stored.
         * @example {
         *       "status": "sent",
         *       "id": 2,
         *       "conversation_id": 1,
         *       "sender": "alice",
         *       "sender_id": 1,
         *       "content": "Lunch on Friday?",
         *       "timestamp": "2026-11-20T09:00:00.000Z",
         *       "receiver": "bob",
         *       "receiver_id": 2,
         *       "client_id": "0199f3c2-7a41-7c10-9f2e-51c0a4e3b7d8"
         *     }
         */
        SentMessage: {
            /** @enum {string} */
            status: "sent";
            id: number;
            conversation_id: number;
            /** @description As first written. */
            sender: string;
            sender_id: number;
            /** @description As first written. */
            receiver?: string;
            receiver_id?: number;
            content: string;
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            timestamp: string;
            /** @description The sender's own key for this message: the same key again is the same message. UUIDv7 is advised. */
            client_id?: string;
            reply_to?: number;
            /** @description The app's own object, up to 1 KiB of JSON; never read by the server. */
            metadata?: {
                [key: string]: unknown;
            };
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            edited_at?: string;
            /**
             * Format: date-time
             * @description RFC 3339, UTC, milliseconds.
             */
            deleted_at?: string;
        };
        /** @description What is wrong with one member of the request. */
        FieldError: {
            /** @description A JSON pointer to what is wrong. */
            path: string;
            message: string;
        };
        /**
         * @description RFC 9457.
         * @example {
         *       "type": "urn:messenger:problem:user-not-found",
         *       "title": "No such user",
         *       "status": 404,
         *       "detail": "Nobody has this name.",
         *       "code": "USER_NOT_FOUND",
         *       "errors": [
         *         {
         *           "path": "/username",
         *           "message": "is nobody’s name"
         *         }
         *       ],
         *       "request_id": "req-7"
         *     }
         */
        Problem: {
            /** @description A URI that names the kind of problem. */
            type: string;
            title: string;
            status: number;
            /** @description What is wrong here, and the way out. */
            detail: string;
            /** @description Stable; there may be more some day. */
            code: string;
            errors?: components["schemas"]["FieldError"][];
            request_id: string;
            /** @description Opaque: where a stream goes on. */
            cursor?: string;
        };
        /**
         * @description Either `receiver_username` or `conversation_id`.
         * @example {
         *       "type": "send",
         *       "id": "a1",
         *       "receiver_username": "bob",
         *       "content": "Lunch on Friday?",
         *       "client_id": "0199f3c2-7a41-7c10-9f2e-51c0a4e3b7d8"
         *     }
         */
        SendFrame: {
            /** @enum {string} */
            type?: "send";
            /**
             * Format: text
             * @description Returned by the `ack` or `error` that answers this frame.
             */
            id?: string;
            /** @description 1 to 64 letters, digits, `.`, `_` or `-`, and not `.` or `..`; compared without case. */
            receiver_username?: string;
            conversation_id?: number;
            /**
             * Format: text
             * @description Returned byte for byte; at most `MAX_MESSAGE_LENGTH` (4,096) code points.
             */
            content: string;
            /** @description The sender's own key for this message: the same key again is the same message. UUIDv7 is advised. */
            client_id?: string;
            reply_to?: number;
            /** @description The app's own object, up to 1 KiB of JSON; never read by the server. */
            metadata?: {
                [key: string]: unknown;
            };
        };
        /**
         * @description Replaces the content of my message.
         * @example {
         *       "type": "edit",
         *       "id": "a2",
         *       "message_id": 2,
         *       "content": "Lunch on Friday at noon?"
         *     }
         */
        EditFrame: {
            /** @enum {string} */
            type: "edit";
            /**
             * Format: text
             * @description Returned by the `ack` or `error` that answers this frame.
             */
            id?: string;
            message_id: number;
            /**
             * Format: text
             * @description Returned byte for byte; at most `MAX_MESSAGE_LENGTH` (4,096) code points.
             */
            content: string;
        };
        /**
         * @description Empties my message; it keeps its place.
         * @example {
         *       "type": "delete",
         *       "id": "a3",
         *       "message_id": 2
         *     }
         */
        DeleteFrame: {
            /** @enum {string} */
            type: "delete";
            /**
             * Format: text
             * @description Returned by the `ack` or `error` that answers this frame.
             */
            id?: string;
            message_id: number;
        };
        /**
         * @description Moves my marks forward.
         * @example {
         *       "type": "receipt",
         *       "id": "b1",
         *       "conversation_id": 1,
         *       "read_up_to": 2
         *     }
         */
        ReceiptFrame: {
            /** @enum {string} */
            type: "receipt";
            /**
             * Format: text
             * @description Returned by the `ack` or `error` that answers this frame.
             */
            id?: string;
            conversation_id: number;
            delivered_up_to?: number;
            read_up_to?: number;
        };
        /**
         * @description I am typing; never stored nor answered, and passed on at most once in 3 s.
         * @example {
         *       "type": "typing",
         *       "conversation_id": 1
         *     }
         */
        TypingFrame: {
            /** @enum {string} */
            type: "typing";
            /**
             * Format: text
             * @description Returned by the `ack` or `error` that answers this frame.
             */
            id?: string;
            conversation_id: number;
        };
        /**
         * @description Whose presence I want to see, in place of the last list: people I am in a conversation with.
         * @example {
         *       "type": "watch",
         *       "id": "a4",
         *       "usernames": [
         *         "bob"
         *       ]
         *     }
         */
        WatchFrame: {
            /** @enum {string} */
            type: "watch";
            /**
             * Format: text
             * @description Returned by the `ack` or `error` that answers this frame.
             */
            id?: string;
            usernames: string[];
        };
        /**
         * @description A fresh token of the same user, before the one that the socket has ends.
         * @example {
         *       "type": "auth",
         *       "id": "a5",
         *       "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
         *     }
         */
        AuthFrame: {
            /** @enum {string} */
            type: "auth";
            /**
             * Format: text
             * @description Returned by the `ack` or `error` that answers this frame.
             */
            id?: string;
            token: string;
        };
        /**
         * @description Asks for a `pong`: browsers can’t see the pings of the protocol.
         * @example {
         *       "type": "ping",
         *       "id": "a6"
         *     }
         */
        PingFrame: {
            /** @enum {string} */
            type: "ping";
            /**
             * Format: text
             * @description Returned by the `ack` or `error` that answers this frame.
             */
            id?: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LoginRequest"];
            };
        };
        responses: {
            /** @description A token, and whose it is. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PASSWORD_REQUIRED`: A password is needed. `INVALID_CREDENTIALS`: Name or password is wrong. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `RATE_LIMITED`: Too many requests. */
            429: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    renewToken: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A token, and whose it is. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `RATE_LIMITED`: Too many requests. */
            429: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    logout: {
        parameters: {
            query?: {
                /** @description All my tokens, not only this one. */
                everywhere?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getMe: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One’s own account. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    removeMe: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    setPassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordRequest"];
            };
        };
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. `INVALID_CREDENTIALS`: Name or password is wrong. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `RATE_LIMITED`: Too many requests. */
            429: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    findUsers: {
        parameters: {
            query?: {
                /** @description How the name begins, compared without case. */
                prefix?: string;
                /** @description How many at most. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description People, by name. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserList"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    sendMessage: {
        parameters: {
            query?: never;
            header?: {
                /** @description The sender's own key for this message: the same key again is the same message. UUIDv7 is advised. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SendRequest"];
            };
        };
        responses: {
            /** @description The message as it is stored. */
            200: {
                headers: {
                    /** @description Only for a repeat: the message is the original. */
                    "Idempotent-Replayed"?: "true";
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SentMessage"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `FORBIDDEN`: Not allowed. `BLOCKED`: Not allowed between these two. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `USER_NOT_FOUND`: No such user. `CONVERSATION_NOT_FOUND`: No such conversation. `MESSAGE_NOT_FOUND`: No such message. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `IDEMPOTENCY_KEY_REUSED`: The key was used for another message. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `RATE_LIMITED`: Too many requests. */
            429: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getHistory: {
        parameters: {
            query?: {
                /** @description How many at most. */
                limit?: number;
                /** @description A message id: the newest messages below it. */
                before?: number;
                /** @description A message id: the oldest messages past it. Not together with `before`. */
                after?: number;
            };
            header?: never;
            path: {
                /**
                 * @description 1 to 64 letters, digits, `.`, `_` or `-`, and not `.` or `..`; compared without case.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Oldest first. */
            200: {
                headers: {
                    /** @description The pages beside this one (RFC 8288): `rel="prev"` to older, `rel="next"` to newer messages. */
                    Link?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageList"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `USER_NOT_FOUND`: No such user. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteMessage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of the message.
                 * @example 2
                 */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description `receiver` is absent in a group; `client_id` is shown to its sender only. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Message"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `FORBIDDEN`: Not allowed. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `MESSAGE_NOT_FOUND`: No such message. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    editMessage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of the message.
                 * @example 2
                 */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EditRequest"];
            };
        };
        responses: {
            /** @description `receiver` is absent in a group; `client_id` is shown to its sender only. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Message"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `FORBIDDEN`: Not allowed. `BLOCKED`: Not allowed between these two. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `MESSAGE_NOT_FOUND`: No such message. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `MESSAGE_DELETED`: The message was deleted. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `RATE_LIMITED`: Too many requests. */
            429: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listConversations: {
        parameters: {
            query?: {
                /** @description How many at most. */
                limit?: number;
                /** @description The `before` of the last page. */
                before?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description By newest message. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConversationList"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getConversation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of the conversation.
                 * @example 1
                 */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A conversation as I see it: a direct one has `peer` and that one’s marks, a group `title` and my `role`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `CONVERSATION_NOT_FOUND`: No such conversation. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listMessages: {
        parameters: {
            query?: {
                /** @description How many at most. */
                limit?: number;
                /** @description A message id: the newest messages below it. */
                before?: number;
                /** @description A message id: the oldest messages past it. Not together with `before`. */
                after?: number;
            };
            header?: never;
            path: {
                /**
                 * @description The id of the conversation.
                 * @example 1
                 */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Oldest first. */
            200: {
                headers: {
                    /** @description The pages beside this one (RFC 8288): `rel="prev"` to older, `rel="next"` to newer messages. */
                    Link?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageList"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `CONVERSATION_NOT_FOUND`: No such conversation. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listMembers: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of the conversation.
                 * @example 1
                 */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Who is in a conversation, the oldest member first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MemberList"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `CONVERSATION_NOT_FOUND`: No such conversation. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    putReceipt: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of the conversation.
                 * @example 1
                 */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ReceiptRequest"];
            };
        };
        responses: {
            /** @description Somebody’s marks in a conversation, as they are now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Receipt"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `FORBIDDEN`: Not allowed. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `CONVERSATION_NOT_FOUND`: No such conversation. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createGroup: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["GroupRequest"];
            };
        };
        responses: {
            /** @description A conversation as I see it: a direct one has `peer` and that one’s marks, a group `title` and my `role`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `BLOCKED`: Not allowed between these two. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `USER_NOT_FOUND`: No such user. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    renameGroup: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of the group.
                 * @example 2
                 */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RenameRequest"];
            };
        };
        responses: {
            /** @description A conversation as I see it: a direct one has `peer` and that one’s marks, a group `title` and my `role`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `FORBIDDEN`: Not allowed. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `CONVERSATION_NOT_FOUND`: No such conversation. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    addMember: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of the group.
                 * @example 2
                 */
                id: number;
                /**
                 * @description 1 to 64 letters, digits, `.`, `_` or `-`, and not `.` or `..`; compared without case.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A conversation as I see it: a direct one has `peer` and that one’s marks, a group `title` and my `role`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `FORBIDDEN`: Not allowed. `BLOCKED`: Not allowed between these two. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `CONVERSATION_NOT_FOUND`: No such conversation. `USER_NOT_FOUND`: No such user. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `GROUP_FULL`: The group is full. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    removeMember: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of the group.
                 * @example 2
                 */
                id: number;
                /**
                 * @description 1 to 64 letters, digits, `.`, `_` or `-`, and not `.` or `..`; compared without case.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `FORBIDDEN`: Not allowed. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `CONVERSATION_NOT_FOUND`: No such conversation. `USER_NOT_FOUND`: No such user. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    blockUser: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description 1 to 64 letters, digits, `.`, `_` or `-`, and not `.` or `..`; compared without case.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Somebody whom I block, and since when. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Block"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `USER_NOT_FOUND`: No such user. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    unblockUser: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description 1 to 64 letters, digits, `.`, `_` or `-`, and not `.` or `..`; compared without case.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. `INVALID_JSON`: Not valid JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `USER_NOT_FOUND`: No such user. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `PAYLOAD_TOO_LARGE`: Too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listBlocks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Whom I block, the latest first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BlockList"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    sync: {
        parameters: {
            query?: {
                /** @description The last cursor that was seen. */
                cursor?: string;
                /** @description How many at most. */
                limit?: number;
                /** @description Seconds to wait where nothing has happened yet. */
                wait?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Events in order; the next page begins at `cursor`, and `more` says whether it has any. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SyncPage"];
                };
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `CURSOR_UNKNOWN`: This database does not know the cursor. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `RATE_LIMITED`: Too many requests. */
            429: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    connect: {
        parameters: {
            query?: {
                /** @description The last cursor that was seen. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description From here on the connection is a WebSocket. */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `VALIDATION_FAILED`: Something in the request is not allowed. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UNAUTHORIZED`: A valid token is needed. */
            401: {
                headers: {
                    /** @description `Bearer`. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `ORIGIN_NOT_ALLOWED`: This origin may not connect. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `UPGRADE_REQUIRED`: This address speaks WebSocket. */
            426: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getLive: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All is well. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getReady: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All is well. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description `INTERNAL`: Something went wrong here. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `STORAGE_UNAVAILABLE`: The database can not be written or read. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Text. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getOpenApi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description An OpenAPI or AsyncAPI document, as JSON. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Document"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getAsyncApi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description An OpenAPI or AsyncAPI document, as JSON. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Document"];
                };
            };
            /** @description `OVERLOADED`: Too busy. `SHUTTING_DOWN`: The server is stopping. */
            503: {
                headers: {
                    /** @description Seconds after which it may be tried again. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
