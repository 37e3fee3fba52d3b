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
         * Log in, and create the account if it does not exist
         * @description With `AUTH_MODE=open`, an account without a password needs only its name. With `REGISTRATION=closed`, a login never creates an account. With `AUTH_MODE=external` there are no logins, and an account of your app never has one.
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
         * Renew my token
         * @description Returns a new token. The old one stays valid until it expires. Pass the new token to an open socket with an `auth` frame. An account of your app gets its tokens from your app.
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
         * Revoke this token, or all my tokens
         * @description The token ends immediately, and the sockets that use it are closed.
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
         * Get my account
         * @description Returns the account of the token. You can also use it to check whether the token is still valid.
         */
        get: operations["getMe"];
        put?: never;
        post?: never;
        /**
         * Remove my account
         * @description All tokens end, all sockets are closed, and the account leaves its groups. Its messages stay, and its name cannot be used again. This cannot be undone.
         */
        delete: operations["removeMe"];
        options?: never;
        head?: never;
        /**
         * Change my profile
         * @description An absent member stays as it is, and `null` removes it. Everybody who finds your name sees your profile. Users in a conversation with you receive a `user` frame.
         */
        patch: operations["setProfile"];
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
         * Set or change my password
         * @description If the account has a password, `current_password` is required. All other tokens of the account end; this one stays valid. An account of your app has no password here.
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
         * Find users by the beginning of a name, or by their usernames
         * @description With `prefix`: at most `limit` users whose username or display name begins with it, ordered by the name that does. An empty `prefix` matches every user. With `usernames`: the users who have these names. Both leave out removed accounts.
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
    "/users/{username}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a user
         * @description Returns the user with the profile. The app also sees a suspension. A user whose name is `me` is only found by `GET /users?usernames=me`.
         */
        get: operations["getUser"];
        /**
         * Create a user, or change the profile
         * @description A new account belongs to the app, or to `issuer`: nobody can log in under its name. Names that the app creates may also contain `@`, `+`, `:`, `|` and `~`. Of an account that exists, whoever created it, only the profile is changed. Repeating the request changes nothing.
         */
        put: operations["putUser"];
        post?: never;
        /**
         * Remove a user
         * @description All tokens end, all sockets are closed, and the account leaves its groups. Its messages stay, and its name cannot be used again. This cannot be undone.
         */
        delete: operations["removeUser"];
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
         * Send a message
         * @description A 200 means that the message is on disk. Retry with the same `client_id`: the reply is then the message of the first request in its current state, with `Idempotent-Replayed: true`. You can send the key as the `Idempotency-Key` header instead.
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
         * List my direct messages with a user
         * @description Oldest first. Returns the newest page by default. `Has-Older` and `Has-Newer` tell whether there are more pages, and `Link` has their URLs. A page is limited to about 1 MiB, so it may have fewer than `limit` messages.
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
         * Delete my message
         * @description The app can delete every message. Clears the content and sets `deleted_at`. The message keeps its id and its position. Everyone who can see it receives a `message_updated` event. Deleting again changes nothing.
         */
        delete: operations["deleteMessage"];
        options?: never;
        head?: never;
        /**
         * Edit my message
         * @description Replaces the content and sets `edited_at`. Everyone who can see the message receives a `message_updated` event. The same content changes nothing.
         */
        patch: operations["editMessage"];
        trace?: never;
    };
    "/messages/{id}/reports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Report a message
         * @description Reports a message that you can see to the app, with its present content. Nobody else learns of it. Reporting the message again returns your first report, with `Idempotent-Replayed: true`.
         */
        post: operations["reportMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
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
         * List my conversations
         * @description Ordered by newest message. Read all pages, then apply the events after the `cursor` of the first page: the list is then complete. A page has at most 100 conversations and about 1 MiB; `before` leads to the next page. A group that you have left stays in the list, without `role`.
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
         * Get one of my conversations
         * @description A group that you have left is returned as it was when you left.
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
         * List the messages of a conversation
         * @description Returns the messages that you may read, oldest first, and the newest page by default. `Has-Older` and `Has-Newer` tell whether there are more pages, and `Link` has their URLs. A page is limited to about 1 MiB, so it may have fewer than `limit` messages.
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
         * List the members of a conversation
         * @description Returns each member with role, `delivered_up_to` and `read_up_to`, longest membership first. The list is empty for a group that you have left.
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
         * Mark messages as delivered or read
         * @description Marks only move forward, and at most to the newest message. A message that is read is also delivered. Returns the marks after the change.
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
         * Create a group
         * @description You become the owner. A group has at most `MAX_GROUP_MEMBERS` (256 by default) members, including you. Retry with the same `Idempotency-Key`: the reply is then the group of the first request in its current state, with `Idempotent-Replayed: true`. A key never expires, and works even after you have left the group.
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
         * Rename a group, or change its metadata
         * @description Only an owner and the app can do this. Values that are the same change nothing. Every member sees the metadata. The app, which is no member, gets the group without a `role`, with marks and an unread count of 0.
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
         * Add a member to a group, or change the role of a member
         * @description Only an owner and the app can do this. An owner can make other members owners, make an owner a member again, and hand the group over: make somebody an owner, then yourself a member. The last owner cannot become a member, except by the app. Repeating the request changes nothing.
         */
        put: operations["addMember"];
        post?: never;
        /**
         * Remove a member from a group, or leave it
         * @description Use your own name to leave. Only an owner and the app can remove others. When the last owner leaves, the member with the longest membership becomes an owner. Suspended members are passed over, unless all are suspended.
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
         * Block a user
         * @description Neither of you can send direct messages to the other or see the other’s presence, typing or receipts. Blocking again changes nothing.
         */
        put: operations["blockUser"];
        post?: never;
        /**
         * Unblock a user
         * @description Changes nothing if the user is not blocked.
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
         * List the users that I block
         * @description Newest block first. If there are more than `limit`, the reply has the `before` of the next page.
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
         * Get my events after a cursor
         * @description Returns the frames that a socket would receive. Without a cursor, returns the current cursor and no events. With `wait`, waits up to that many seconds for the first event. A page is limited to about 1 MiB, so it may have fewer than `limit` events.
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
         * Open the WebSocket; `/asyncapi.json` describes its frames
         * @description Offer the subprotocol `messenger.v1`. A browser can’t set the `Authorization` header: offer `bearer.` followed by the token as a second subprotocol. Without a subprotocol the socket only sends and receives direct messages.
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
    "/users/{username}/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Create a token of a user
         * @description Give it to the devices of the user. After a change of the server’s secret, a token is valid for at most `TOKEN_TTL`.
         */
        post: operations["createToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/{username}/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * End all tokens of a user
         * @description Every token that was issued before now ends immediately, and the sockets that use it are closed.
         */
        post: operations["logOutUser"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the changes of everybody after a cursor
         * @description Returns each change of the system in order, as its rows are now. Without a cursor, returns the current cursor and no events; `0` is the cursor of the beginning. With `wait`, waits up to that many seconds for the first event. A page is limited to about 1 MiB, so it may have fewer than `limit` events. It has more than `limit` only if one change has more events, such as the creation of a large group: the events of one change are never split.
         */
        get: operations["getEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a webhook and the state of its delivery
         * @description Never returns the secret.
         */
        get: operations["getWebhook"];
        /**
         * Create a webhook, or change its settings
         * @description A new webhook gets a secret, which is shown only in this reply. Replaces all settings of an existing webhook, which keeps its cursor, is enabled again, and makes its next attempt at once. A request that is under way ends. There are at most 32 webhooks.
         */
        put: operations["putWebhook"];
        post?: never;
        /**
         * Delete a webhook
         * @description A request that is under way ends, but its receiver may have it already.
         */
        delete: operations["deleteWebhook"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the webhooks
         * @description With the state of their delivery, without their secrets.
         */
        get: operations["listWebhooks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks/{name}/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give a webhook a new secret
         * @description For 24 hours each request has two signatures, the one of the new secret and the one of the old secret.
         */
        post: operations["rotateWebhookSecret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks/{name}/cursor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Continue a webhook after a cursor
         * @description Delivers everything after the cursor again, as it is now. The batch in flight is dropped; pushes in flight are sent under the new cursor.
         */
        post: operations["moveWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks/{name}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a test request to a webhook
         * @description Sends a signed batch without events now, also if the webhook is disabled, and returns how the receiver answered. Its `previous` and its `cursor` are those of the last delivered batch. At most 32 tests run at the same time on a server.
         */
        post: operations["testWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/{username}/suspension": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Suspend a user
         * @description Until the suspension ends, the user can neither write, read, log in nor connect, and nothing can be done on behalf of the user: every attempt gets `ACCOUNT_SUSPENDED` with the reason and the end. Open sockets are closed with 4403. Others see no difference, and can write to the user. A new suspension replaces the old one. Repeating the request changes nothing.
         */
        put: operations["suspendUser"];
        post?: never;
        /**
         * Lift the suspension of a user
         * @description Tokens that have not expired can be used again. Changes nothing if the user is not suspended.
         */
        delete: operations["endSuspension"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/reports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the reports of messages
         * @description Newest first, with the text of each message when it was reported, also if it was changed or deleted since. If there are more than `limit`, or more than about 1 MiB of text, the reply has the `before` of the next page.
         */
        get: operations["listReports"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/reports/{id}": {
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
         * Decide about a report
         * @description Sets the status, and the note if it is given. It does nothing to the message or its sender: delete the message or suspend the user yourself. Repeating the request changes nothing.
         */
        patch: operations["setReport"];
        trace?: never;
    };
    "/groups/by-key/{key}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Create the group of a key, or get it
         * @description A conversation for a thing of your app, such as an order: the first call creates the group, and every later one, at the same time or not, returns it as it is, with `Idempotent-Replayed: true`. With `On-Behalf-Of` that user is the owner and a member; otherwise the group has no owner.
         */
        put: operations["putGroup"];
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
         * Check whether the process is alive
         * @description Checks nothing else.
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
         * Check whether messages can be stored and read
         * @description Reads from the database, and commits a write that changes nothing.
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
         * Get the metrics of this process for Prometheus
         * @description Returns counters, gauges and histograms, each with a help text.
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
         * Get the OpenAPI 3.1 document of the HTTP API
         * @description Returns this document.
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
         * Get the AsyncAPI 3 document of the socket
         * @description Describes every frame in both directions.
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
export interface webhooks {
    events: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Receive the changes of everybody
         * @description The events of `GET /events`, in order, at most 100 events or one change, and about 1 MiB. The next batch follows after a reply with 2xx.
         */
        post: operations["receiveEvents"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export interface components {
    schemas: {
        /**
         * @description Username, and the password if the account has one or the server requires one.
         * @example {
         *       "username": "alice"
         *     }
         */
        LoginRequest: {
            /** @description Username: 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`. Names that your app creates may also have `@`, `+`, `:`, `|` and `~`. Case is ignored. */
            username: string;
            /**
             * Format: text
             * @description Password of the account. If the login creates the account, the password needs at least `MIN_PASSWORD_LENGTH` (default 8) code points.
             */
            password?: string;
        };
        /**
         * @description Your account.
         * @example {
         *       "id": 1,
         *       "username": "alice",
         *       "has_password": false
         *     }
         * @example {
         *       "id": 2,
         *       "username": "bob",
         *       "profile": {
         *         "display_name": "Bob Weaver",
         *         "avatar_url": "https://example.com/bob.png"
         *       },
         *       "has_password": false
         *     }
         */
        Me: {
            /**
             * Format: int64
             * @description Id of the user.
             */
            id: number;
            /** @description Username, in the case in which it was registered. */
            username: string;
            profile?: components["schemas"]["Profile"];
            /** @description Whether the account has a password. */
            has_password: boolean;
        };
        /**
         * @description New password, and the current password if the account has one.
         * @example {
         *       "password": "a long sentence is a good password"
         *     }
         */
        PasswordRequest: {
            /**
             * Format: text
             * @description New password: at least `MIN_PASSWORD_LENGTH` (default 8) and at most 256 code points.
             */
            password: string;
            /**
             * Format: text
             * @description Current password. Required if the account has a password.
             */
            current_password?: string;
        };
        /**
         * @description What a user shows of themselves. A member that was never set, or was removed, is absent.
         * @example {
         *       "display_name": "Bob Weaver",
         *       "avatar_url": "https://example.com/bob.png"
         *     }
         */
        Profile: {
            /**
             * Format: text
             * @description Name to show in place of the username: 1 to 128 code points. Need not be unique.
             */
            display_name?: string;
            /**
             * Format: https
             * @description URL of a picture: absolute, with the scheme `https`, at most 2,048 characters.
             */
            avatar_url?: string;
            metadata?: components["schemas"]["Metadata"];
        };
        /**
         * @description Changes of your profile. An absent member stays as it is.
         * @example {
         *       "display_name": "Bob Weaver",
         *       "avatar_url": "https://example.com/bob.png"
         *     }
         */
        ProfileRequest: {
            /**
             * Format: text
             * @description Name to show in place of the username: 1 to 128 code points. Need not be unique. `null` removes it.
             */
            display_name?: string | null;
            /**
             * Format: https
             * @description URL of a picture: absolute, with the scheme `https`, at most 2,048 characters. `null` removes it.
             */
            avatar_url?: string | null;
            /** @description An object of your app: at most 1 KiB of JSON. The server stores it and does not interpret it. `null` removes it. */
            metadata?: {
                [key: string]: unknown;
            } | null;
        };
        /**
         * @description A token and its user.
         * @example {
         *       "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
         *       "expires_at": "2026-11-21T09:00:00.000Z",
         *       "user": {
         *         "id": 1,
         *         "username": "alice"
         *       }
         *     }
         * @example {
         *       "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
         *       "expires_at": "2026-11-21T09:00:00.000Z",
         *       "user": {
         *         "id": 2,
         *         "username": "bob",
         *         "profile": {
         *           "display_name": "Bob Weaver",
         *           "avatar_url": "https://example.com/bob.png"
         *         }
         *       }
         *     }
         */
        Session: {
            /** @description JSON Web Token. Send it as `Authorization: Bearer <token>`. */
            token: string;
            /**
             * Format: date-time
             * @description Time at which the token expires: RFC 3339, UTC, milliseconds.
             */
            expires_at: string;
            user: components["schemas"]["User"];
        };
        /**
         * @description A user. `profile` is absent if the user has set nothing, or was removed.
         * @example {
         *       "id": 2,
         *       "username": "bob",
         *       "profile": {
         *         "display_name": "Bob Weaver",
         *         "avatar_url": "https://example.com/bob.png"
         *       }
         *     }
         * @example {
         *       "id": 2,
         *       "username": "bob"
         *     }
         */
        User: {
            /**
             * Format: int64
             * @description Id of the user.
             */
            id: number;
            /** @description Username, in the case in which it was registered. */
            username: string;
            profile?: components["schemas"]["Profile"];
            suspension?: components["schemas"]["Suspension"];
        };
        /**
         * @description Users, ordered by the name that was found.
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
            /** @description Users, ordered by the name that was found. */
            users: components["schemas"]["User"][];
        };
        /**
         * @description Lifetime of a new token.
         * @example {
         *       "expires_in": 3600
         *     }
         */
        TokenRequest: {
            /** @description Lifetime of the token in seconds. Default: `TOKEN_TTL`. */
            expires_in?: number;
        };
        /**
         * @description Profile of a user. `null` removes a member. An absent member stays as it is.
         * @example {
         *       "display_name": "Bob Weaver",
         *       "avatar_url": "https://example.com/bob.png"
         *     }
         */
        UserRequest: {
            /**
             * Format: text
             * @description Name to show in place of the username: 1 to 128 code points. Need not be unique. `null` removes it.
             */
            display_name?: string | null;
            /**
             * Format: https
             * @description URL of a picture: absolute, with the scheme `https`, at most 2,048 characters. `null` removes it.
             */
            avatar_url?: string | null;
            /** @description An object of your app: at most 1 KiB of JSON. The server stores it and does not interpret it. `null` removes it. */
            metadata?: {
                [key: string]: unknown;
            } | null;
            /** @description An issuer of `TOKEN_ISSUERS`: its tokens log the user in. If absent, a new account belongs to the server keys. It cannot be changed later. */
            issuer?: string;
        };
        /** @description An object of your app: at most 1 KiB of JSON. The server stores it and does not interpret it. */
        Metadata: {
            [key: string]: unknown;
        };
        /**
         * @description A user whom you block, and the time of the block.
         * @example {
         *       "username": "bob",
         *       "blocked_at": "2026-11-20T09:03:00.000Z"
         *     }
         */
        Block: {
            /** @description Username, in the case in which it was registered. */
            username: string;
            /**
             * Format: date-time
             * @description Time of the block: RFC 3339, UTC, milliseconds.
             */
            blocked_at: string;
        };
        /**
         * @description A page of the users whom you block, newest block first.
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
            /** @description Blocks, newest first. */
            blocks: components["schemas"]["Block"][];
            /** @description Send it as `before` to get the next page. Absent on the last page. */
            before?: string;
        };
        /**
         * @description A conversation as you see it. A direct conversation has `peer`, the marks of the peer and, if the peer has one, `peer_profile`. A group has `title`, `key` and `metadata` if it has them, and, while you are a member, your `role`. `last_message` is absent if there is no message that you may read.
         * @example {
         *       "id": 1,
         *       "kind": "direct",
         *       "peer": "alice",
         *       "peer_delivered_up_to": 0,
         *       "peer_read_up_to": 0,
         *       "member_count": 2,
         *       "last_message": {
         *         "id": 5,
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
         * @example {
         *       "id": 3,
         *       "kind": "group",
         *       "title": "Friday lunch",
         *       "key": "order-4711",
         *       "member_count": 1,
         *       "unread_count": 0,
         *       "delivered_up_to": 0,
         *       "read_up_to": 0
         *     }
         */
        Conversation: {
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            id: number;
            kind: components["schemas"]["ConversationKind"];
            /** @description Username of the other user. Absent in a group. */
            peer?: string;
            peer_profile?: components["schemas"]["Profile"];
            /** @description Title of the group. Absent in a direct conversation. */
            title?: string;
            role?: components["schemas"]["MemberRole"];
            /**
             * @description The key that the app gave the group. Absent if there is none.
             * @example order-4711
             */
            key?: string;
            metadata?: components["schemas"]["Metadata"];
            /** @description Number of members. */
            member_count: number;
            last_message?: components["schemas"]["Message"];
            /** @description Number of messages of other users after your `read_up_to`. At most 1,000, counted among the newest 2,000 messages after it. Deleted messages are not counted. */
            unread_count: number;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were delivered. 0: none.
             */
            delivered_up_to: number;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were read. 0: none.
             */
            read_up_to: number;
            /**
             * Format: int64
             * @description `delivered_up_to` of the other user. Absent in a group.
             */
            peer_delivered_up_to?: number;
            /**
             * Format: int64
             * @description `read_up_to` of the other user. Absent in a group.
             */
            peer_read_up_to?: number;
        };
        /**
         * @description `direct`: a conversation of two users, one per pair. `group`: a conversation with a title and any number of members. More kinds may be added: treat an unknown kind as `group`.
         * @enum {string}
         */
        ConversationKind: "direct" | "group";
        /**
         * @description A page of conversations, newest message first.
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
         *             "id": 5,
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
         *       "cursor": "h2TqYw9k.5"
         *     }
         */
        ConversationList: {
            /** @description Conversations, newest message first. */
            conversations: components["schemas"]["Conversation"][];
            /**
             * Format: int64
             * @description Send it as `before` to get the next page. Absent on the last page.
             */
            before?: number;
            /** @description Position in the event stream at which this page was read. Keep the cursor of the first page. */
            cursor: string;
        };
        /**
         * @description Title, members and metadata of a new group.
         * @example {
         *       "title": "Friday lunch",
         *       "members": [
         *         "bob"
         *       ]
         *     }
         */
        GroupRequest: {
            /**
             * Format: text
             * @description Title of the group: 1 to 128 code points.
             */
            title: string;
            /** @description Usernames of the other members. Repeated names and your own name are ignored. */
            members: string[];
            metadata?: components["schemas"]["Metadata"];
        };
        /**
         * @description A member of a conversation. `profile` is absent if the user has set nothing.
         * @example {
         *       "user_id": 1,
         *       "username": "alice",
         *       "role": "member",
         *       "delivered_up_to": 0,
         *       "read_up_to": 0
         *     }
         */
        Member: {
            /**
             * Format: int64
             * @description Id of the user.
             */
            user_id: number;
            /** @description Username, in the case in which it was registered. */
            username: string;
            profile?: components["schemas"]["Profile"];
            role: components["schemas"]["MemberRole"];
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were delivered. 0: none.
             */
            delivered_up_to: number;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were read. 0: none.
             */
            read_up_to: number;
        };
        /**
         * @description Members of a conversation, oldest member first.
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
            /** @description All members, oldest member first. */
            members: components["schemas"]["Member"][];
        };
        /**
         * @description Role of the member. Without a role, a new member becomes a `member`, and a current member keeps the role. The body may be absent.
         * @example {
         *       "role": "member"
         *     }
         */
        MemberRequest: {
            role?: components["schemas"]["MemberRole"];
        } | null;
        /**
         * @description `owner`: may change the group, add and remove members, and change roles. A group may have several owners, or none if the app made it. `member`: any other member, and both users of a direct conversation. More roles may be added: treat an unknown role as `member`.
         * @enum {string}
         */
        MemberRole: "owner" | "member";
        /**
         * @description Marks of a user in a conversation.
         * @example {
         *       "conversation_id": 1,
         *       "username": "bob",
         *       "delivered_up_to": 5,
         *       "read_up_to": 5
         *     }
         */
        Receipt: {
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
            /** @description Username of the user whose marks these are. */
            username: string;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were delivered. 0: none.
             */
            delivered_up_to: number;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were read. 0: none.
             */
            read_up_to: number;
        };
        /**
         * @description Ids of the messages up to which all messages were delivered or read. Give at least one.
         * @example {
         *       "read_up_to": 5
         *     }
         */
        ReceiptRequest: {
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were delivered. 0: none.
             */
            delivered_up_to?: number;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were read. 0: none.
             */
            read_up_to?: number;
        };
        /**
         * @description New title or metadata of the group. An absent member stays as it is.
         * @example {
         *       "title": "Saturday lunch"
         *     }
         */
        RenameRequest: {
            /**
             * Format: text
             * @description Title of the group: 1 to 128 code points.
             */
            title?: string;
            /** @description An object of your app: at most 1 KiB of JSON. The server stores it and does not interpret it. `null` removes it. */
            metadata?: {
                [key: string]: unknown;
            } | null;
        };
        /** @description An OpenAPI or AsyncAPI document, as JSON. */
        Document: {
            [key: string]: unknown;
        };
        /**
         * @description A conversation was created, its title or metadata changed, a member joined or left, or the role of a member changed. `role` is yours; it is absent in a direct conversation and after you left.
         * @example {
         *       "type": "conversation",
         *       "cursor": "h2TqYw9k.4",
         *       "conversation_id": 1,
         *       "kind": "direct",
         *       "peer": "alice",
         *       "member_count": 2,
         *       "you": "joined"
         *     }
         */
        ConversationFrame: {
            /**
             * @description The type of the frame: `conversation`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "conversation";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
            kind: components["schemas"]["ConversationKind"];
            /** @description The title of a group; absent in a direct conversation. */
            title?: string;
            /** @description The name of the other user; absent in a group. */
            peer?: string;
            /** @description The key that the app gave the group; absent if there is none. */
            key?: string;
            metadata?: components["schemas"]["Metadata"];
            role?: components["schemas"]["MemberRole"];
            /** @description The current number of members. */
            member_count: number;
            you: components["schemas"]["MembershipChange"];
        };
        /** @description An event, as `GET /ws` sends it. `type` decides which members it has: `x-frames` names the schema of each type. New types may be added: skip events of an unknown type, and keep their cursor. */
        Event: {
            type: components["schemas"]["EventType"];
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            /**
             * Format: int64
             * @description Id of the message. Ids rise in the order in which messages were stored, with gaps.
             */
            id?: number;
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id?: number;
            /** @description Username of the sender. */
            sender?: string;
            /**
             * Format: int64
             * @description User id of the sender.
             */
            sender_id?: number;
            /** @description Username of the receiver. Absent in a group. */
            receiver?: string;
            /**
             * Format: int64
             * @description User id of the receiver. Absent in a group.
             */
            receiver_id?: number;
            /** @description Text of the message, as sent or last edited. Empty after deletion. */
            content?: string;
            /**
             * Format: date-time
             * @description Time at which the message was stored: RFC 3339, UTC, milliseconds.
             */
            timestamp?: string;
            /** @description Idempotency key of the sender. Only the sender receives it. Absent if the sender gave none. */
            client_id?: string;
            /**
             * Format: int64
             * @description Id of the message that this message replies to. Absent if it is not a reply.
             */
            reply_to?: number;
            metadata?: components["schemas"]["Metadata"];
            /**
             * Format: date-time
             * @description Time of the last edit. Absent if the message was never edited.
             */
            edited_at?: string;
            /**
             * Format: date-time
             * @description Time of the deletion. Absent if the message was not deleted.
             */
            deleted_at?: string;
            /** @description The member who moved the marks. */
            username?: string;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were delivered. 0: none.
             */
            delivered_up_to?: number;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were read. 0: none.
             */
            read_up_to?: number;
            kind?: components["schemas"]["ConversationKind"];
            /** @description The title of a group; absent in a direct conversation. */
            title?: string;
            /** @description The name of the other user; absent in a group. */
            peer?: string;
            /** @description The key that the app gave the group; absent if there is none. */
            key?: string;
            role?: components["schemas"]["MemberRole"];
            /** @description The current number of members. */
            member_count?: number;
            you?: components["schemas"]["MembershipChange"];
        };
        /**
         * @description The type of an event. New types may be added: skip an event of an unknown type, and keep its cursor.
         * @enum {string}
         */
        EventType: "message" | "message_updated" | "receipt" | "conversation";
        /**
         * @description Your membership after this event. `joined`: you became a member with this event. `member`: you were a member before and still are. `left`: you are no longer a member. New values may be added: treat an unknown one as `member`.
         * @enum {string}
         */
        MembershipChange: "joined" | "member" | "left";
        /**
         * @description A new message. A plain socket receives it without a cursor.
         * @example {
         *       "type": "message",
         *       "cursor": "h2TqYw9k.5",
         *       "id": 5,
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
             * @description The type of the frame: `message`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "message";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor?: string;
            /**
             * Format: int64
             * @description Id of the message. Ids rise in the order in which messages were stored, with gaps.
             */
            id: number;
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
            /** @description Username of the sender. */
            sender: string;
            /**
             * Format: int64
             * @description User id of the sender.
             */
            sender_id: number;
            /** @description Username of the receiver. Absent in a group. */
            receiver?: string;
            /**
             * Format: int64
             * @description User id of the receiver. Absent in a group.
             */
            receiver_id?: number;
            /** @description Text of the message, as sent or last edited. Empty after deletion. */
            content: string;
            /**
             * Format: date-time
             * @description Time at which the message was stored: RFC 3339, UTC, milliseconds.
             */
            timestamp: string;
            /** @description Idempotency key of the sender. Only the sender receives it. Absent if the sender gave none. */
            client_id?: string;
            /**
             * Format: int64
             * @description Id of the message that this message replies to. Absent if it is not a reply.
             */
            reply_to?: number;
            metadata?: components["schemas"]["Metadata"];
            /**
             * Format: date-time
             * @description Time of the last edit. Absent if the message was never edited.
             */
            edited_at?: string;
            /**
             * Format: date-time
             * @description Time of the deletion. Absent if the message was not deleted.
             */
            deleted_at?: string;
        };
        /**
         * @description A message that was edited or deleted, in its current state.
         * @example {
         *       "type": "message_updated",
         *       "cursor": "h2TqYw9k.7",
         *       "id": 5,
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
             * @description The type of the frame: `message_updated`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "message_updated";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            /**
             * Format: int64
             * @description Id of the message. Ids rise in the order in which messages were stored, with gaps.
             */
            id: number;
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
            /** @description Username of the sender. */
            sender: string;
            /**
             * Format: int64
             * @description User id of the sender.
             */
            sender_id: number;
            /** @description Username of the receiver. Absent in a group. */
            receiver?: string;
            /**
             * Format: int64
             * @description User id of the receiver. Absent in a group.
             */
            receiver_id?: number;
            /** @description Text of the message, as sent or last edited. Empty after deletion. */
            content: string;
            /**
             * Format: date-time
             * @description Time at which the message was stored: RFC 3339, UTC, milliseconds.
             */
            timestamp: string;
            /** @description Idempotency key of the sender. Only the sender receives it. Absent if the sender gave none. */
            client_id?: string;
            /**
             * Format: int64
             * @description Id of the message that this message replies to. Absent if it is not a reply.
             */
            reply_to?: number;
            metadata?: components["schemas"]["Metadata"];
            /**
             * Format: date-time
             * @description Time of the last edit. Absent if the message was never edited.
             */
            edited_at?: string;
            /**
             * Format: date-time
             * @description Time of the deletion. Absent if the message was not deleted.
             */
            deleted_at?: string;
        };
        /**
         * @description The current marks of a member. You receive your own too, for your other devices.
         * @example {
         *       "type": "receipt",
         *       "cursor": "h2TqYw9k.6",
         *       "conversation_id": 1,
         *       "username": "bob",
         *       "delivered_up_to": 5,
         *       "read_up_to": 5
         *     }
         */
        ReceiptUpdateFrame: {
            /**
             * @description The type of the frame: `receipt`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "receipt";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
            /** @description The member who moved the marks. */
            username: string;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were delivered. 0: none.
             */
            delivered_up_to: number;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were read. 0: none.
             */
            read_up_to: number;
        };
        /** @description A conversation was created. A `member.joined` of each first member follows. */
        ConversationCreated: {
            /**
             * @description The type of the event: `conversation.created`.
             * @enum {string}
             */
            type: "conversation.created";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            conversation: components["schemas"]["ConversationState"];
        };
        /** @description A conversation as the app sees it, without a viewer. */
        ConversationState: {
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            id: number;
            kind: components["schemas"]["ConversationKind"];
            /** @description Title of the group. Absent in a direct conversation. */
            title?: string;
            /** @description Usernames of the two users of a direct conversation, or the one user of notes to oneself. Absent in a group. */
            usernames?: string[];
            /** @description Number of members. */
            member_count: number;
            /** @description The key that the app gave the group. Absent if there is none. */
            key?: string;
            metadata?: components["schemas"]["Metadata"];
        };
        /** @description The title, the metadata, the members or a role of a conversation changed. */
        ConversationUpdated: {
            /**
             * @description The type of the event: `conversation.updated`.
             * @enum {string}
             */
            type: "conversation.updated";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            conversation: components["schemas"]["ConversationState"];
        };
        /** @description A change, as its row is now. `type` decides which members the event has: `x-events` names the schema of each type. One change may have several events: those before its last one have the cursor before the change, so resuming from the cursor of any event loses none. New types may be added: skip events of an unknown type, and keep their cursor. */
        FeedEvent: {
            type: components["schemas"]["FeedEventType"];
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            message?: components["schemas"]["Message"];
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id?: number;
            /** @description Username of the member. */
            username?: string;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were delivered. 0: none.
             */
            delivered_up_to?: number;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were read. 0: none.
             */
            read_up_to?: number;
            conversation?: components["schemas"]["ConversationState"];
            role?: components["schemas"]["MemberRole"];
            user?: components["schemas"]["User"];
            report?: components["schemas"]["Report"];
        };
        /**
         * @description The type of an event of the feed. New types may be added: skip an event of an unknown type, and keep its cursor.
         * @enum {string}
         */
        FeedEventType: "message.created" | "message.updated" | "message.deleted" | "receipt.updated" | "conversation.created" | "conversation.updated" | "member.joined" | "member.left" | "user.created" | "user.updated" | "user.removed" | "report.created";
        /**
         * @description A page of the changes of everybody, in order. The next page begins at `cursor`.
         * @example {
         *       "events": [
         *         {
         *           "type": "user.created",
         *           "cursor": "h2TqYw9k.1",
         *           "user": {
         *             "id": 1,
         *             "username": "alice"
         *           }
         *         }
         *       ],
         *       "cursor": "h2TqYw9k.1",
         *       "more": true
         *     }
         */
        FeedPage: {
            /** @description Oldest first. */
            events: components["schemas"]["FeedEvent"][];
            /** @description The cursor of the next page. */
            cursor: string;
            /** @description Whether more events exist now: request the next page at once. */
            more: boolean;
        };
        /** @description A user became a member. */
        MemberJoined: {
            /**
             * @description The type of the event: `member.joined`.
             * @enum {string}
             */
            type: "member.joined";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
            /** @description Username of the member. */
            username: string;
            role: components["schemas"]["MemberRole"];
        };
        /** @description A user is no longer a member. */
        MemberLeft: {
            /**
             * @description The type of the event: `member.left`.
             * @enum {string}
             */
            type: "member.left";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
            /** @description Username of the member. */
            username: string;
            role: components["schemas"]["MemberRole"];
        };
        /** @description A message was sent. If it was edited or deleted since, it is in its current state. */
        MessageCreated: {
            /**
             * @description The type of the event: `message.created`.
             * @enum {string}
             */
            type: "message.created";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            message: components["schemas"]["Message"];
        };
        /** @description A message was deleted. */
        MessageDeleted: {
            /**
             * @description The type of the event: `message.deleted`.
             * @enum {string}
             */
            type: "message.deleted";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            message: components["schemas"]["Message"];
        };
        /** @description A message was edited. */
        MessageUpdated: {
            /**
             * @description The type of the event: `message.updated`.
             * @enum {string}
             */
            type: "message.updated";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            message: components["schemas"]["Message"];
        };
        /** @description The marks of a member moved. Of marks that move several times within a second, the last state may be sent twice. */
        ReceiptUpdated: {
            /**
             * @description The type of the event: `receipt.updated`.
             * @enum {string}
             */
            type: "receipt.updated";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
            /** @description Username of the member. */
            username: string;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were delivered. 0: none.
             */
            delivered_up_to: number;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were read. 0: none.
             */
            read_up_to: number;
        };
        /** @description A member reported a message. */
        ReportCreated: {
            /**
             * @description The type of the event: `report.created`.
             * @enum {string}
             */
            type: "report.created";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            report: components["schemas"]["Report"];
        };
        /** @description An account was created. */
        UserCreated: {
            /**
             * @description The type of the event: `user.created`.
             * @enum {string}
             */
            type: "user.created";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            user: components["schemas"]["User"];
        };
        /** @description An account was removed. */
        UserRemoved: {
            /**
             * @description The type of the event: `user.removed`.
             * @enum {string}
             */
            type: "user.removed";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            user: components["schemas"]["User"];
        };
        /** @description The profile of a user changed. */
        UserUpdated: {
            /**
             * @description The type of the event: `user.updated`.
             * @enum {string}
             */
            type: "user.updated";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            user: components["schemas"]["User"];
        };
        /**
         * @description The server is healthy.
         * @example {
         *       "status": "ok"
         *     }
         */
        Health: {
            /**
             * @description Always `ok`. An unhealthy server responds with a problem.
             * @enum {string}
             */
            status: "ok";
        };
        /**
         * @description New content of the message.
         * @example {
         *       "content": "Lunch on Friday at noon?"
         *     }
         */
        EditRequest: {
            /**
             * Format: text
             * @description Text of the message: at most `MAX_MESSAGE_LENGTH` (default 4,096) code points. Returned unchanged, byte for byte.
             */
            content: string;
        };
        /**
         * @description A message. `receiver` and `receiver_id` are absent in a group. Only the sender receives `client_id`.
         * @example {
         *       "id": 5,
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
         *       "id": 5,
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
            /**
             * Format: int64
             * @description Id of the message. Ids rise in the order in which messages were stored, with gaps.
             */
            id: number;
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
            /** @description Username of the sender. */
            sender: string;
            /**
             * Format: int64
             * @description User id of the sender.
             */
            sender_id: number;
            /** @description Username of the receiver. Absent in a group. */
            receiver?: string;
            /**
             * Format: int64
             * @description User id of the receiver. Absent in a group.
             */
            receiver_id?: number;
            /** @description Text of the message, as sent or last edited. Empty after deletion. */
            content: string;
            /**
             * Format: date-time
             * @description Time at which the message was stored: RFC 3339, UTC, milliseconds.
             */
            timestamp: string;
            /** @description Idempotency key of the sender. Only the sender receives it. Absent if the sender gave none. */
            client_id?: string;
            /**
             * Format: int64
             * @description Id of the message that this message replies to. Absent if it is not a reply.
             */
            reply_to?: number;
            metadata?: components["schemas"]["Metadata"];
            /**
             * Format: date-time
             * @description Time of the last edit. Absent if the message was never edited.
             */
            edited_at?: string;
            /**
             * Format: date-time
             * @description Time of the deletion. Absent if the message was not deleted.
             */
            deleted_at?: string;
        };
        /**
         * @description A page of messages, oldest first.
         * @example [
         *       {
         *         "id": 5,
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
         * @description A message to send. Give either `receiver_username` or `conversation_id`.
         * @example {
         *       "receiver_username": "bob",
         *       "content": "Lunch on Friday?",
         *       "client_id": "0199f3c2-7a41-7c10-9f2e-51c0a4e3b7d8"
         *     }
         */
        SendRequest: {
            /** @description Username of the receiver of a direct message. Do not combine with `conversation_id`. */
            receiver_username?: string;
            /**
             * Format: int64
             * @description Id of a conversation of which you are a member. Do not combine with `receiver_username`.
             */
            conversation_id?: number;
            /**
             * Format: text
             * @description Text of the message: at most `MAX_MESSAGE_LENGTH` (default 4,096) code points. Returned unchanged, byte for byte.
             */
            content: string;
            /** @description Idempotency key of the message, unique per sender for ever: a repeated key returns the original message. Use a UUIDv7. If you also send the `Idempotency-Key` header, both must be equal. */
            client_id?: string;
            /**
             * Format: int64
             * @description Id of the message that you reply to. It must be in the same conversation.
             */
            reply_to?: number;
            metadata?: components["schemas"]["Metadata"];
        };
        /**
         * @description The stored message.
         * @example {
         *       "status": "sent",
         *       "id": 5,
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
            /**
             * @description Always `sent`.
             * @enum {string}
             */
            status: "sent";
            /**
             * Format: int64
             * @description Id of the message. Ids rise in the order in which messages were stored, with gaps.
             */
            id: number;
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
            /** @description Username of the sender. */
            sender: string;
            /**
             * Format: int64
             * @description User id of the sender.
             */
            sender_id: number;
            /** @description Username of the receiver. Absent in a group. */
            receiver?: string;
            /**
             * Format: int64
             * @description User id of the receiver. Absent in a group.
             */
            receiver_id?: number;
            /** @description Text of the message, as sent or last edited. Empty after deletion. */
            content: string;
            /**
             * Format: date-time
             * @description Time at which the message was stored: RFC 3339, UTC, milliseconds.
             */
            timestamp: string;
            /** @description Idempotency key of the sender. Only the sender receives it. Absent if the sender gave none. */
            client_id?: string;
            /**
             * Format: int64
             * @description Id of the message that this message replies to. Absent if it is not a reply.
             */
            reply_to?: number;
            metadata?: components["schemas"]["Metadata"];
            /**
             * Format: date-time
             * @description Time of the last edit. Absent if the message was never edited.
             */
            edited_at?: string;
            /**
             * Format: date-time
             * @description Time of the deletion. Absent if the message was not deleted.
             */
            deleted_at?: string;
        };
        /** @description Stable error code: a code never changes its meaning. More codes may be added: treat an unknown code by its status. */
        ErrorCode: string;
        /** @description An invalid member of the request. */
        FieldError: {
            /** @description JSON pointer to the invalid member. Empty if the whole part is invalid. */
            path: string;
            /** @description What is wrong with the member, as a text for users. It names the member. */
            message: string;
            in?: components["schemas"]["RequestPart"];
        };
        /**
         * @description Problem details of RFC 9457.
         * @example {
         *       "type": "urn:messenger:problem:user-not-found",
         *       "title": "User not found",
         *       "status": 404,
         *       "detail": "No user has this name.",
         *       "code": "USER_NOT_FOUND",
         *       "errors": [
         *         {
         *           "path": "/username",
         *           "message": "username must be the name of a user",
         *           "in": "path"
         *         }
         *       ],
         *       "request_id": "req-7"
         *     }
         */
        Problem: {
            /** @description URI of the kind of problem. */
            type: string;
            /** @description Short description of `code`. */
            title: string;
            /** @description HTTP status. In an `error` frame: the status of the same error over HTTP. */
            status: number;
            /** @description What is wrong with this request and what you can do. */
            detail: string;
            code: components["schemas"]["ErrorCode"];
            /** @description Invalid members of the request. Absent if the error is not about a member. */
            errors?: components["schemas"]["FieldError"][];
            /** @description Id of the request in the log of the server. `-` if the request has no id. */
            request_id: string;
            /** @description Only with `CURSOR_UNKNOWN`: cursor of the newest change. */
            cursor?: string;
        };
        /**
         * @description Part of the request that `path` points into. More values may be added.
         * @enum {string}
         */
        RequestPart: "body" | "query" | "path" | "header" | "frame";
        /**
         * @description A report of a message, with the text that the member saw.
         * @example {
         *       "id": 8,
         *       "message_id": 5,
         *       "reason": "spam",
         *       "comment": "I do not know the sender.",
         *       "created_at": "2026-11-20T09:01:30.000Z",
         *       "conversation_id": 1,
         *       "sender": "alice",
         *       "reporter": "bob",
         *       "content": "Lunch on Friday at noon?",
         *       "status": "open"
         *     }
         * @example {
         *       "id": 8,
         *       "message_id": 5,
         *       "reason": "spam",
         *       "comment": "I do not know the sender.",
         *       "created_at": "2026-11-20T09:01:30.000Z",
         *       "conversation_id": 1,
         *       "sender": "alice",
         *       "reporter": "bob",
         *       "content": "Lunch on Friday at noon?",
         *       "status": "dismissed",
         *       "note": "They are colleagues."
         *     }
         */
        Report: {
            /**
             * Format: int64
             * @description Id of the report.
             */
            id: number;
            /**
             * Format: int64
             * @description Id of the reported message.
             */
            message_id: number;
            reason: components["schemas"]["ReportReason"];
            /**
             * Format: text
             * @description What the member adds to the reason: 1 to 1,000 code points.
             */
            comment?: string;
            /**
             * Format: date-time
             * @description Time of the report: RFC 3339, UTC, milliseconds.
             */
            created_at: string;
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
            /** @description Username of the sender of the message. */
            sender: string;
            /** @description Username of the member who reported the message. */
            reporter: string;
            /** @description Text of the message when it was reported. */
            content: string;
            status: components["schemas"]["ReportStatus"];
            /**
             * Format: text
             * @description Note of the app, which no user sees: 1 to 1,000 code points.
             */
            note?: string;
        };
        /**
         * @description A page of reports, newest first.
         * @example {
         *       "reports": [
         *         {
         *           "id": 8,
         *           "message_id": 5,
         *           "reason": "spam",
         *           "comment": "I do not know the sender.",
         *           "created_at": "2026-11-20T09:01:30.000Z",
         *           "conversation_id": 1,
         *           "sender": "alice",
         *           "reporter": "bob",
         *           "content": "Lunch on Friday at noon?",
         *           "status": "open"
         *         }
         *       ]
         *     }
         */
        ReportList: {
            /** @description Reports, newest first. */
            reports: components["schemas"]["Report"][];
            /**
             * Format: int64
             * @description Send it as `before` to get the next page. Absent on the last page.
             */
            before?: number;
        };
        /**
         * Format: text
         * @description Why the message is reported: one of these values, or another one of your app’s.
         * @enum {string}
         */
        ReportReason: "spam" | "abuse" | "illegal" | "other";
        /**
         * @description Why a message is reported.
         * @example {
         *       "reason": "spam",
         *       "comment": "I do not know the sender."
         *     }
         */
        ReportRequest: {
            reason: components["schemas"]["ReportReason"];
            /**
             * Format: text
             * @description What the member adds to the reason: 1 to 1,000 code points.
             */
            comment?: string;
        };
        /**
         * @description `open`: nobody has decided yet. `resolved`: something was done. `dismissed`: nothing had to be done. More values may be added: treat an unknown one as `open`.
         * @enum {string}
         */
        ReportStatus: "open" | "resolved" | "dismissed";
        /**
         * @description What the app decides about a report. An absent note stays as it is.
         * @example {
         *       "status": "dismissed",
         *       "note": "They are colleagues."
         *     }
         */
        ReportStatusRequest: {
            status: components["schemas"]["ReportStatus"];
            /**
             * Format: text
             * @description Note of the app, which no user sees: 1 to 1,000 code points. `null` removes it.
             */
            note?: string | null;
        };
        /**
         * @description A report as the member who made it sees it.
         * @example {
         *       "id": 8,
         *       "message_id": 5,
         *       "reason": "spam",
         *       "comment": "I do not know the sender.",
         *       "created_at": "2026-11-20T09:01:30.000Z"
         *     }
         */
        SentReport: {
            /**
             * Format: int64
             * @description Id of the report.
             */
            id: number;
            /**
             * Format: int64
             * @description Id of the reported message.
             */
            message_id: number;
            reason: components["schemas"]["ReportReason"];
            /**
             * Format: text
             * @description What the member adds to the reason: 1 to 1,000 code points.
             */
            comment?: string;
            /**
             * Format: date-time
             * @description Time of the report: RFC 3339, UTC, milliseconds.
             */
            created_at: string;
        };
        /**
         * @description Answers a frame. The `ack` of a change has the cursor of its event and replaces that event in the stream.
         * @example {
         *       "type": "ack",
         *       "id": "a1",
         *       "cursor": "h2TqYw9k.5",
         *       "message": {
         *         "id": 5,
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
         *       "cursor": "h2TqYw9k.6",
         *       "receipt": {
         *         "conversation_id": 1,
         *         "username": "bob",
         *         "delivered_up_to": 5,
         *         "read_up_to": 5
         *       }
         *     }
         * @example {
         *       "type": "ack",
         *       "id": "a4"
         *     }
         */
        AckFrame: {
            /**
             * @description The type of the frame: `ack`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "ack";
            /**
             * Format: text
             * @description An id that the client chooses. The `ack`, `pong` or `error` that answers the frame repeats it.
             */
            id?: string;
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor?: string;
            message?: components["schemas"]["Message"];
            receipt?: components["schemas"]["Receipt"];
            /** @description True for a repeated send. `message` is the original, in its current state. */
            duplicate?: boolean;
        };
        /**
         * @description Ends the replay of missed events. Live events follow.
         * @example {
         *       "type": "caught_up",
         *       "cursor": "h2TqYw9k.8"
         *     }
         */
        CaughtUpFrame: {
            /**
             * @description The type of the frame: `caught_up`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "caught_up";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
        };
        /**
         * @description Refuses a frame. `problem` is the same object as the body of a refused HTTP request.
         * @example {
         *       "type": "error",
         *       "id": "a7",
         *       "retryable": false,
         *       "problem": {
         *         "type": "urn:messenger:problem:user-not-found",
         *         "title": "User not found",
         *         "status": 404,
         *         "detail": "No user has this name.",
         *         "code": "USER_NOT_FOUND",
         *         "errors": [
         *           {
         *             "path": "/receiver_username",
         *             "message": "receiver_username must be the name of a user",
         *             "in": "frame"
         *           }
         *         ],
         *         "request_id": "5f1c9a20-1-1"
         *       }
         *     }
         */
        ErrorFrame: {
            /**
             * @description The type of the frame: `error`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "error";
            /**
             * Format: text
             * @description An id that the client chooses. The `ack`, `pong` or `error` that answers the frame repeats it.
             */
            id?: string;
            /** @description Whether the same frame may succeed later. */
            retryable: boolean;
            /** @description Seconds to wait before the next attempt; absent if you may retry at any time. */
            retry_after?: number;
            problem: components["schemas"]["Problem"];
        };
        /**
         * @description The first frame, except that an `error` precedes it when the cursor is unknown. The stream continues from its cursor.
         * @example {
         *       "type": "hello",
         *       "user": {
         *         "id": 2,
         *         "username": "bob"
         *       },
         *       "cursor": "h2TqYw9k.3",
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
             * @description The type of the frame: `hello`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "hello";
            user: components["schemas"]["User"];
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor: string;
            /** @description The heartbeat interval in milliseconds. The server closes a socket that is silent for two. */
            heartbeat_ms: number;
            limits: components["schemas"]["Limits"];
        };
        /** @description The limits that the server enforces. */
        Limits: {
            /** @description Code points of the longest `content`. */
            max_message_length: number;
            /** @description Bytes of the longest frame that a client may send. */
            max_frame_bytes: number;
            /** @description Bytes of the longest `metadata`, as JSON. */
            max_metadata_bytes: number;
            /** @description Frames that a socket may send per second. */
            frames_per_second: number;
            /** @description Messages that a user may send per minute; 0 means no limit. */
            sends_per_minute: number;
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
             * @description The type of the frame: `pong`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "pong";
            /**
             * Format: text
             * @description An id that the client chooses. The `ack`, `pong` or `error` that answers the frame repeats it.
             */
            id?: string;
        };
        /**
         * @description The presence of a user whom you watch. The frame has no cursor.
         * @example {
         *       "type": "presence",
         *       "username": "bob",
         *       "online": true
         *     }
         */
        PresenceFrame: {
            /**
             * @description The type of the frame: `presence`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "presence";
            /** @description The watched user. */
            username: string;
            /** @description Whether the user has an open socket. */
            online: boolean;
            /**
             * Format: date-time
             * @description When the user’s last socket closed; absent while the user is online, or if unknown.
             */
            last_seen?: string;
        };
        /** @description A frame that the server sends. */
        ServerFrame: components["schemas"]["HelloFrame"] | components["schemas"]["MessageFrame"] | components["schemas"]["MessageUpdatedFrame"] | components["schemas"]["ReceiptUpdateFrame"] | components["schemas"]["ConversationFrame"] | components["schemas"]["TypingUpdateFrame"] | components["schemas"]["PresenceFrame"] | components["schemas"]["UserFrame"] | components["schemas"]["CaughtUpFrame"] | components["schemas"]["AckFrame"] | components["schemas"]["ErrorFrame"] | components["schemas"]["PongFrame"];
        /**
         * @description A member is typing. The frame has no cursor.
         * @example {
         *       "type": "typing",
         *       "conversation_id": 1,
         *       "username": "bob"
         *     }
         */
        TypingUpdateFrame: {
            /**
             * @description The type of the frame: `typing`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "typing";
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
            /** @description The member who is typing. */
            username: string;
        };
        /**
         * @description A user with whom you share a conversation has changed their profile, or you have yours. The frame has no cursor.
         * @example {
         *       "type": "user",
         *       "user": {
         *         "id": 2,
         *         "username": "bob",
         *         "profile": {
         *           "display_name": "Bob Weaver",
         *           "avatar_url": "https://example.com/bob.png"
         *         }
         *       }
         *     }
         */
        UserFrame: {
            /**
             * @description The type of the frame: `user`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "user";
            user: components["schemas"]["User"];
        };
        /**
         * @description Why and until when an account is suspended.
         * @example {
         *       "reason": "Spam",
         *       "until": "2030-01-01T00:00:00.000Z"
         *     }
         */
        Suspension: {
            /**
             * Format: text
             * @description Reason, which the user is shown: 1 to 1,000 code points.
             */
            reason: string;
            /**
             * Format: date-time
             * @description End of the suspension: RFC 3339, UTC, milliseconds. Absent without an end.
             */
            until?: string;
        };
        /**
         * @description Reason and end of a suspension.
         * @example {
         *       "reason": "Spam",
         *       "until": "2030-01-01T00:00:00.000Z"
         *     }
         */
        SuspensionRequest: {
            /**
             * Format: text
             * @description Reason, which the user is shown: 1 to 1,000 code points.
             */
            reason: string;
            /**
             * Format: date-time
             * @description End of the suspension: a time in the future (RFC 3339). If absent, it does not end.
             */
            until?: string;
        };
        /**
         * @description A page of events, in order. The next page begins at `cursor`.
         * @example {
         *       "events": [
         *         {
         *           "type": "conversation",
         *           "cursor": "h2TqYw9k.4",
         *           "conversation_id": 1,
         *           "kind": "direct",
         *           "peer": "alice",
         *           "member_count": 2,
         *           "you": "joined"
         *         },
         *         {
         *           "type": "message",
         *           "cursor": "h2TqYw9k.5",
         *           "id": 5,
         *           "conversation_id": 1,
         *           "sender": "alice",
         *           "sender_id": 1,
         *           "content": "Lunch on Friday?",
         *           "timestamp": "2026-11-20T09:00:00.000Z",
         *           "receiver": "bob",
         *           "receiver_id": 2
         *         }
         *       ],
         *       "cursor": "h2TqYw9k.5",
         *       "more": false
         *     }
         */
        SyncPage: {
            /** @description Oldest first. */
            events: components["schemas"]["Event"][];
            /** @description The cursor of the next page. */
            cursor: string;
            /** @description Whether more events exist now: request the next page at once. */
            more: boolean;
        };
        /** @description Where a webhook continues. */
        MoveRequest: {
            /** @description The cursor after which to continue. `0` is the cursor of the beginning. */
            cursor: string;
        };
        /**
         * @description A webhook, with its secret if it is new.
         * @example {
         *       "name": "orders",
         *       "url": "https://app.invalid/webhooks",
         *       "types": [
         *         "message.created"
         *       ],
         *       "status": "active",
         *       "created_at": "2026-11-20T09:04:00.000Z",
         *       "cursor": "h2TqYw9k.30",
         *       "lag": 0,
         *       "lag_seconds": 0,
         *       "attempts": 0,
         *       "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
         *     }
         */
        PutWebhook: {
            /** @description Name of the webhook. */
            name: string;
            /** @description URL that receives the batches. */
            url: string;
            /** @description Types of the events that are delivered. Absent: all types of the feed. */
            types?: string[];
            /**
             * Format: text
             * @description A note for people.
             */
            description?: string;
            /** @description Seconds after which `unread.pending` is sent. Absent: the webhook does not get this event. */
            push_after_seconds?: number;
            status: components["schemas"]["WebhookStatus"];
            /**
             * Format: date-time
             * @description Time of the creation: RFC 3339, UTC, milliseconds.
             */
            created_at: string;
            /** @description The cursor of the last batch that the receiver answered by 2xx, or where it begins. */
            cursor: string;
            /**
             * Format: int64
             * @description Number of changes that are not delivered yet. Some of them may have no event for the webhook.
             */
            lag: number;
            /** @description Age of the oldest message or batch that is not delivered yet. 0: none. */
            lag_seconds: number;
            /** @description Number of failed attempts to deliver the next batch. */
            attempts: number;
            /** @description Why the last attempt failed. Absent if it did not. */
            last_error?: string;
            /**
             * Format: date-time
             * @description Time of that attempt.
             */
            last_error_at?: string;
            /**
             * Format: date-time
             * @description Time of the next attempt. Absent if none waits.
             */
            next_at?: string;
            /**
             * Format: date-time
             * @description Time at which a batch was last answered by 2xx. Absent if none was.
             */
            delivered_at?: string;
            /** @description The secret of the signatures: `whsec_` and base64. Shown only here. Present if the webhook is new. */
            secret?: string;
        };
        /**
         * @description The new secret of a webhook.
         * @example {
         *       "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
         *       "previous_valid_until": "2026-11-21T09:05:00.000Z"
         *     }
         */
        RotatedSecret: {
            /** @description The secret of the signatures: `whsec_` and base64. Shown only here. */
            secret: string;
            /**
             * Format: date-time
             * @description Until then the old secret signs each request too.
             */
            previous_valid_until: string;
        };
        /** @description A user has unread messages in a conversation that no device has received. Sent again only after the user has read something in the conversation. It has no number and no cursor. */
        UnreadPending: {
            /**
             * @description The type of the event: `unread.pending`.
             * @enum {string}
             */
            type: "unread.pending";
            user: components["schemas"]["User"];
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
            /** @description Number of unread messages, 1,000 at most. */
            unread_count: number;
            /**
             * Format: int64
             * @description Id of the newest message that waited for `push_after_seconds`.
             */
            newest_id: number;
            newest: components["schemas"]["Message"];
        };
        /**
         * @description A webhook and the state of its delivery.
         * @example {
         *       "name": "orders",
         *       "url": "https://app.invalid/webhooks",
         *       "types": [
         *         "message.created"
         *       ],
         *       "status": "active",
         *       "created_at": "2026-11-20T09:04:00.000Z",
         *       "cursor": "h2TqYw9k.30",
         *       "lag": 0,
         *       "lag_seconds": 0,
         *       "attempts": 0
         *     }
         */
        Webhook: {
            /** @description Name of the webhook. */
            name: string;
            /** @description URL that receives the batches. */
            url: string;
            /** @description Types of the events that are delivered. Absent: all types of the feed. */
            types?: string[];
            /**
             * Format: text
             * @description A note for people.
             */
            description?: string;
            /** @description Seconds after which `unread.pending` is sent. Absent: the webhook does not get this event. */
            push_after_seconds?: number;
            status: components["schemas"]["WebhookStatus"];
            /**
             * Format: date-time
             * @description Time of the creation: RFC 3339, UTC, milliseconds.
             */
            created_at: string;
            /** @description The cursor of the last batch that the receiver answered by 2xx, or where it begins. */
            cursor: string;
            /**
             * Format: int64
             * @description Number of changes that are not delivered yet. Some of them may have no event for the webhook.
             */
            lag: number;
            /** @description Age of the oldest message or batch that is not delivered yet. 0: none. */
            lag_seconds: number;
            /** @description Number of failed attempts to deliver the next batch. */
            attempts: number;
            /** @description Why the last attempt failed. Absent if it did not. */
            last_error?: string;
            /**
             * Format: date-time
             * @description Time of that attempt.
             */
            last_error_at?: string;
            /**
             * Format: date-time
             * @description Time of the next attempt. Absent if none waits.
             */
            next_at?: string;
            /**
             * Format: date-time
             * @description Time at which a batch was last answered by 2xx. Absent if none was.
             */
            delivered_at?: string;
        };
        /** @description The body of one request to a webhook: at most 100 events and 1 MiB, unless a single change has more. */
        WebhookBatch: {
            /** @description The cursor of the previous batch, or the one that you gave in an answer 409. If you stored another one, answer 409 with `{"cursor": …}`. */
            previous: string;
            /** @description The cursor after this batch: store it together with the effects of the events. Equal to `previous` in a batch of `unread.pending` and in a test. */
            cursor: string;
            /** @description Oldest first. */
            events: components["schemas"]["WebhookEvent"][];
        };
        /** @description An event of the feed, or `unread.pending`, which has no cursor. `x-events` names the schema of each type. New types may be added: skip events of an unknown type. */
        WebhookEvent: {
            /**
             * @description The type of the event. More values may be added: skip an event of an unknown type.
             * @enum {string}
             */
            type: "message.created" | "message.updated" | "message.deleted" | "receipt.updated" | "conversation.created" | "conversation.updated" | "member.joined" | "member.left" | "user.created" | "user.updated" | "user.removed" | "report.created" | "unread.pending";
            /** @description Opaque position in the event stream. Send it back to resume after this position. */
            cursor?: string;
            message?: components["schemas"]["Message"];
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id?: number;
            /** @description Username of the member. */
            username?: string;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were delivered. 0: none.
             */
            delivered_up_to?: number;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were read. 0: none.
             */
            read_up_to?: number;
            conversation?: components["schemas"]["ConversationState"];
            role?: components["schemas"]["MemberRole"];
            user?: components["schemas"]["User"];
            report?: components["schemas"]["Report"];
            /** @description Number of unread messages, 1,000 at most. */
            unread_count?: number;
            /**
             * Format: int64
             * @description Id of the newest message that waited for `push_after_seconds`.
             */
            newest_id?: number;
            newest?: components["schemas"]["Message"];
        };
        /**
         * @description All webhooks.
         * @example {
         *       "webhooks": [
         *         {
         *           "name": "orders",
         *           "url": "https://app.invalid/webhooks",
         *           "types": [
         *             "message.created"
         *           ],
         *           "status": "active",
         *           "created_at": "2026-11-20T09:04:00.000Z",
         *           "cursor": "h2TqYw9k.30",
         *           "lag": 0,
         *           "lag_seconds": 0,
         *           "attempts": 0
         *         }
         *       ]
         *     }
         */
        WebhookList: {
            /** @description By name. */
            webhooks: components["schemas"]["Webhook"][];
        };
        /**
         * @description Settings of a webhook. Absent members get their defaults.
         * @example {
         *       "url": "https://app.invalid/webhooks",
         *       "types": [
         *         "message.created"
         *       ]
         *     }
         */
        WebhookRequest: {
            /** @description URL that receives the batches: `https`, at a public address. */
            url: string;
            /** @description Types of the events to deliver. Absent: all types of the feed. */
            types?: ("message.created" | "message.updated" | "message.deleted" | "receipt.updated" | "conversation.created" | "conversation.updated" | "member.joined" | "member.left" | "user.created" | "user.updated" | "user.removed" | "report.created" | "unread.pending")[];
            /**
             * Format: text
             * @description A note for people.
             */
            description?: string;
            /** @description Seconds after which `unread.pending` announces a message that no device of a user has received. A value adds this event to `types`. Default: 10 if `types` names `unread.pending`, otherwise the event is not sent. */
            push_after_seconds?: number;
            /** @description Where a new webhook begins. `0`: at the beginning. Absent: after the newest change. Ignored if the webhook exists. */
            cursor?: string;
        };
        /**
         * @description `failing`: the last attempt failed, the next one follows. `disabled`: the receiver answered 410; `PUT` enables it again. More values may be added: treat an unknown one as `active`.
         * @enum {string}
         */
        WebhookStatus: "active" | "failing" | "disabled";
        /**
         * @description The result of a test request.
         * @example {
         *       "error": "app.invalid has no address.",
         *       "duration_ms": 12
         *     }
         */
        WebhookTest: {
            /** @description HTTP status of the receiver. Absent if it did not answer. */
            status?: number;
            /** @description Why the receiver did not answer. Absent if it did. */
            error?: string;
            /** @description Milliseconds until the answer or the failure. */
            duration_ms: number;
        };
        /** @description A frame that a client sends. A frame without `type` is a `send`. */
        ClientFrame: components["schemas"]["SendFrame"] | components["schemas"]["EditFrame"] | components["schemas"]["DeleteFrame"] | components["schemas"]["ReceiptFrame"] | components["schemas"]["TypingFrame"] | components["schemas"]["WatchFrame"] | components["schemas"]["AuthFrame"] | components["schemas"]["PingFrame"];
        /**
         * @description Sends a message. Give either `receiver_username` or `conversation_id`.
         * @example {
         *       "type": "send",
         *       "id": "a1",
         *       "receiver_username": "bob",
         *       "content": "Lunch on Friday?",
         *       "client_id": "0199f3c2-7a41-7c10-9f2e-51c0a4e3b7d8"
         *     }
         */
        SendFrame: {
            /**
             * @description The type of the frame: `send`.
             * @enum {string}
             */
            type?: "send";
            /**
             * Format: text
             * @description An id that the client chooses. The `ack`, `pong` or `error` that answers the frame repeats it.
             */
            id?: string;
            /** @description Username of the receiver of a direct message. Do not combine with `conversation_id`. */
            receiver_username?: string;
            /**
             * Format: int64
             * @description Id of a conversation of which you are a member. Do not combine with `receiver_username`.
             */
            conversation_id?: number;
            /**
             * Format: text
             * @description Text of the message: at most `MAX_MESSAGE_LENGTH` (default 4,096) code points. Returned unchanged, byte for byte.
             */
            content: string;
            /** @description Idempotency key of the message, unique per sender for ever: a repeated key returns the original message. Use a UUIDv7. If you also send the `Idempotency-Key` header, both must be equal. */
            client_id?: string;
            /**
             * Format: int64
             * @description Id of the message that you reply to. It must be in the same conversation.
             */
            reply_to?: number;
            metadata?: components["schemas"]["Metadata"];
        };
        /**
         * @description Replaces the content of a message that you sent.
         * @example {
         *       "type": "edit",
         *       "id": "a2",
         *       "message_id": 5,
         *       "content": "Lunch on Friday at noon?"
         *     }
         */
        EditFrame: {
            /**
             * @description The type of the frame: `edit`.
             * @enum {string}
             */
            type: "edit";
            /**
             * Format: text
             * @description An id that the client chooses. The `ack`, `pong` or `error` that answers the frame repeats it.
             */
            id?: string;
            /**
             * Format: int64
             * @description The id of a message that you sent.
             */
            message_id: number;
            /**
             * Format: text
             * @description Text of the message: at most `MAX_MESSAGE_LENGTH` (default 4,096) code points. Returned unchanged, byte for byte.
             */
            content: string;
        };
        /**
         * @description Empties a message that you sent. The message keeps its position in the conversation.
         * @example {
         *       "type": "delete",
         *       "id": "a3",
         *       "message_id": 5
         *     }
         */
        DeleteFrame: {
            /**
             * @description The type of the frame: `delete`.
             * @enum {string}
             */
            type: "delete";
            /**
             * Format: text
             * @description An id that the client chooses. The `ack`, `pong` or `error` that answers the frame repeats it.
             */
            id?: string;
            /**
             * Format: int64
             * @description The id of a message that you sent.
             */
            message_id: number;
        };
        /**
         * @description Moves your marks forward.
         * @example {
         *       "type": "receipt",
         *       "id": "b1",
         *       "conversation_id": 1,
         *       "read_up_to": 5
         *     }
         */
        ReceiptFrame: {
            /**
             * @description The type of the frame: `receipt`.
             * @enum {string}
             */
            type: "receipt";
            /**
             * Format: text
             * @description An id that the client chooses. The `ack`, `pong` or `error` that answers the frame repeats it.
             */
            id?: string;
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were delivered. 0: none.
             */
            delivered_up_to?: number;
            /**
             * Format: int64
             * @description Id of the newest message up to which all messages were read. 0: none.
             */
            read_up_to?: number;
        };
        /**
         * @description Tells the other members that you are typing. It is never stored or answered, and is passed on at most once in 3 s.
         * @example {
         *       "type": "typing",
         *       "conversation_id": 1
         *     }
         */
        TypingFrame: {
            /**
             * @description The type of the frame: `typing`.
             * @enum {string}
             */
            type: "typing";
            /**
             * Format: text
             * @description An id that the client chooses. The `ack`, `pong` or `error` that answers the frame repeats it.
             */
            id?: string;
            /**
             * Format: int64
             * @description Id of the conversation.
             */
            conversation_id: number;
        };
        /**
         * @description Subscribes to the presence of these users and replaces the previous list. You see users with whom you share a conversation.
         * @example {
         *       "type": "watch",
         *       "id": "a4",
         *       "usernames": [
         *         "bob"
         *       ]
         *     }
         */
        WatchFrame: {
            /**
             * @description The type of the frame: `watch`.
             * @enum {string}
             */
            type: "watch";
            /**
             * Format: text
             * @description An id that the client chooses. The `ack`, `pong` or `error` that answers the frame repeats it.
             */
            id?: string;
            /** @description The users to watch, at most 100. An empty list unsubscribes. */
            usernames: string[];
        };
        /**
         * @description Replaces the token of the socket. Send a fresh token of the same user before the current one expires.
         * @example {
         *       "type": "auth",
         *       "id": "a5",
         *       "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
         *     }
         */
        AuthFrame: {
            /**
             * @description The type of the frame: `auth`.
             * @enum {string}
             */
            type: "auth";
            /**
             * Format: text
             * @description An id that the client chooses. The `ack`, `pong` or `error` that answers the frame repeats it.
             */
            id?: string;
            /** @description The `token` of `POST /token` or `POST /login`. */
            token: string;
        };
        /**
         * @description Asks for a `pong`. Browsers do not show the pings of the WebSocket protocol.
         * @example {
         *       "type": "ping",
         *       "id": "a6"
         *     }
         */
        PingFrame: {
            /**
             * @description The type of the frame: `ping`.
             * @enum {string}
             */
            type: "ping";
            /**
             * Format: text
             * @description An id that the client chooses. The `ack`, `pong` or `error` that answers the frame repeats it.
             */
            id?: string;
        };
    };
    responses: {
        /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
        BadRequest: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `UNAUTHORIZED`: A valid token is required. `PASSWORD_REQUIRED`: A password is required. `INVALID_CREDENTIALS`: The username or the password is wrong. */
        Unauthorized: {
            headers: {
                /** @description `Bearer` (RFC 6750). */
                "WWW-Authenticate"?: string;
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. `BLOCKED`: A block prevents this. `ORIGIN_NOT_ALLOWED`: This origin is not allowed. */
        Forbidden: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `ROUTE_NOT_FOUND`: Route not found. `USER_NOT_FOUND`: User not found. `CONVERSATION_NOT_FOUND`: Conversation not found. `MESSAGE_NOT_FOUND`: Message not found. `WEBHOOK_NOT_FOUND`: Webhook not found. `REPORT_NOT_FOUND`: Report not found. */
        NotFound: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
        MethodNotAllowed: {
            headers: {
                /** @description Methods that this path supports. */
                Allow?: string;
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
        RequestTimeout: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `MESSAGE_DELETED`: The message was deleted. `GROUP_FULL`: The group is full. `TOO_MANY_WEBHOOKS`: Too many webhooks. */
        Conflict: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `CURSOR_UNKNOWN`: Unknown cursor. */
        Gone: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
        PayloadTooLarge: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `URI_TOO_LONG`: The URL is too long. */
        UriTooLong: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
        UnsupportedMediaType: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `IDEMPOTENCY_KEY_REUSED`: The key was used for a different request. */
        KeyReused: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `UPGRADE_REQUIRED`: This path requires a WebSocket. */
        UpgradeRequired: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `RATE_LIMITED`: Too many requests. */
        TooManyRequests: {
            headers: {
                /** @description Seconds to wait before the next attempt. */
                "Retry-After"?: number;
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
        HeadersTooLarge: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `INTERNAL`: Internal error. */
        InternalError: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
        Unavailable: {
            headers: {
                /** @description Seconds to wait before the next attempt. */
                "Retry-After"?: number;
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
    };
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
            /** @description A token and its user. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `PASSWORD_REQUIRED`: A password is required. `INVALID_CREDENTIALS`: The username or the password is wrong. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    renewToken: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A token and its user. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    logout: {
        parameters: {
            query?: {
                /** @description Revoke all tokens of your account, not only the token of this request. */
                everywhere?: boolean;
            };
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The request succeeded. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    getMe: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Your account. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    removeMe: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The request succeeded. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    setProfile: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ProfileRequest"];
            };
        };
        responses: {
            /** @description Your account. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    setPassword: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordRequest"];
            };
        };
        responses: {
            /** @description The request succeeded. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. `INVALID_CREDENTIALS`: The username or the password is wrong. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    findUsers: {
        parameters: {
            query?: {
                /** @description First characters of the username or of the display name. Case is ignored. */
                prefix?: string;
                /** @description Maximum number of users that a `prefix` finds. */
                limit?: number;
                /** @description Up to 100 usernames, separated by commas. Case is ignored. Names that no user has are left out. The URL and the headers have together at most 16 KiB: ask for fewer names if they are long when percent-encoded. Do not combine with `prefix`. */
                usernames?: string;
            };
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Users, ordered by the name that was found. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserList"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    getUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Username: 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`. Names that your app creates may also have `@`, `+`, `:`, `|` and `~`. Case is ignored.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A user. `profile` is absent if the user has set nothing, or was removed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    putUser: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Username: 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`. Names that your app creates may also have `@`, `+`, `:`, `|` and `~`. Case is ignored.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserRequest"];
            };
        };
        responses: {
            /** @description A user. `profile` is absent if the user has set nothing, or was removed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    removeUser: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Username: 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`. Names that your app creates may also have `@`, `+`, `:`, `|` and `~`. Case is ignored.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The request succeeded. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    sendMessage: {
        parameters: {
            query?: never;
            header?: {
                /** @description Idempotency key of the message, unique per sender for ever: a repeated key returns the original message. Use a UUIDv7. If you also send the `Idempotency-Key` header, both must be equal. */
                "idempotency-key"?: string;
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
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
            /** @description The stored message. */
            200: {
                headers: {
                    /** @description Present only if the key was used before. The response is the original message in its current state. */
                    "Idempotent-Replayed"?: "true";
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SentMessage"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. `BLOCKED`: A block prevents this. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. `CONVERSATION_NOT_FOUND`: Conversation not found. `MESSAGE_NOT_FOUND`: Message not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `IDEMPOTENCY_KEY_REUSED`: The key was used for a different request. */
            422: components["responses"]["KeyReused"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    getHistory: {
        parameters: {
            query?: {
                /** @description Maximum number of items on the page. */
                limit?: number;
                /** @description Message id: returns the newest messages before it. Do not combine with `after`. */
                before?: number;
                /** @description Message id: returns the oldest messages after it. Do not combine with `before`. */
                after?: number;
            };
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Username: 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`. Names that your app creates may also have `@`, `+`, `:`, `|` and `~`. Case is ignored.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of messages, oldest first. */
            200: {
                headers: {
                    /** @description Whether older messages exist. To get them, send the id of the first message of this page as `before`. */
                    "Has-Older"?: boolean;
                    /** @description Whether newer messages exist. To get them, send the id of the last message of this page as `after`. */
                    "Has-Newer"?: boolean;
                    /** @description Links to the adjacent pages (RFC 8288): `rel="prev"` for older messages, `rel="next"` for newer messages. */
                    Link?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageList"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    deleteMessage: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Id of the message.
                 * @example 5
                 */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A message. `receiver` and `receiver_id` are absent in a group. Only the sender receives `client_id`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Message"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. `MESSAGE_NOT_FOUND`: Message not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    editMessage: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Id of the message.
                 * @example 5
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
            /** @description A message. `receiver` and `receiver_id` are absent in a group. Only the sender receives `client_id`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Message"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. `BLOCKED`: A block prevents this. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. `MESSAGE_NOT_FOUND`: Message not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `MESSAGE_DELETED`: The message was deleted. */
            409: components["responses"]["Conflict"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    reportMessage: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Id of the message.
                 * @example 5
                 */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ReportRequest"];
            };
        };
        responses: {
            /** @description A report as the member who made it sees it. */
            200: {
                headers: {
                    /** @description Present only if you reported the message before. The response is the first report. */
                    "Idempotent-Replayed"?: "true";
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SentReport"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. `MESSAGE_NOT_FOUND`: Message not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `MESSAGE_DELETED`: The message was deleted. */
            409: components["responses"]["Conflict"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    listConversations: {
        parameters: {
            query?: {
                /** @description Maximum number of conversations. A page has at most 100 conversations and about 1 MiB of text. If there are more, the response has `before`. */
                limit?: number;
                /** @description `before` of the previous page. */
                before?: number;
            };
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of conversations, newest message first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConversationList"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    getConversation: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Id of the conversation.
                 * @example 1
                 */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A conversation as you see it. A direct conversation has `peer`, the marks of the peer and, if the peer has one, `peer_profile`. A group has `title`, `key` and `metadata` if it has them, and, while you are a member, your `role`. `last_message` is absent if there is no message that you may read. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. `CONVERSATION_NOT_FOUND`: Conversation not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    listMessages: {
        parameters: {
            query?: {
                /** @description Maximum number of items on the page. */
                limit?: number;
                /** @description Message id: returns the newest messages before it. Do not combine with `after`. */
                before?: number;
                /** @description Message id: returns the oldest messages after it. Do not combine with `before`. */
                after?: number;
            };
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Id of the conversation.
                 * @example 1
                 */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of messages, oldest first. */
            200: {
                headers: {
                    /** @description Whether older messages exist. To get them, send the id of the first message of this page as `before`. */
                    "Has-Older"?: boolean;
                    /** @description Whether newer messages exist. To get them, send the id of the last message of this page as `after`. */
                    "Has-Newer"?: boolean;
                    /** @description Links to the adjacent pages (RFC 8288): `rel="prev"` for older messages, `rel="next"` for newer messages. */
                    Link?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageList"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. `CONVERSATION_NOT_FOUND`: Conversation not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    listMembers: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Id of the conversation.
                 * @example 1
                 */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Members of a conversation, oldest member first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MemberList"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. `CONVERSATION_NOT_FOUND`: Conversation not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    putReceipt: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Id of the conversation.
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
            /** @description Marks of a user in a conversation. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Receipt"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. `CONVERSATION_NOT_FOUND`: Conversation not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    createGroup: {
        parameters: {
            query?: never;
            header?: {
                /** @description Idempotency key of the group: a repeated key returns the original group. Use a UUIDv7. */
                "idempotency-key"?: string;
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["GroupRequest"];
            };
        };
        responses: {
            /** @description A conversation as you see it. A direct conversation has `peer`, the marks of the peer and, if the peer has one, `peer_profile`. A group has `title`, `key` and `metadata` if it has them, and, while you are a member, your `role`. `last_message` is absent if there is no message that you may read. */
            200: {
                headers: {
                    /** @description Present only if the key was used before. The response is the original group in its current state. */
                    "Idempotent-Replayed"?: "true";
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. `BLOCKED`: A block prevents this. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `IDEMPOTENCY_KEY_REUSED`: The key was used for a different request. */
            422: components["responses"]["KeyReused"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    renameGroup: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Id of the group.
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
            /** @description A conversation as you see it. A direct conversation has `peer`, the marks of the peer and, if the peer has one, `peer_profile`. A group has `title`, `key` and `metadata` if it has them, and, while you are a member, your `role`. `last_message` is absent if there is no message that you may read. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. `CONVERSATION_NOT_FOUND`: Conversation not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    addMember: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Id of the group.
                 * @example 2
                 */
                id: number;
                /**
                 * @description Username: 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`. Names that your app creates may also have `@`, `+`, `:`, `|` and `~`. Case is ignored.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["MemberRequest"];
            };
        };
        responses: {
            /** @description A conversation as you see it. A direct conversation has `peer`, the marks of the peer and, if the peer has one, `peer_profile`. A group has `title`, `key` and `metadata` if it has them, and, while you are a member, your `role`. `last_message` is absent if there is no message that you may read. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. `BLOCKED`: A block prevents this. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. `CONVERSATION_NOT_FOUND`: Conversation not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `GROUP_FULL`: The group is full. */
            409: components["responses"]["Conflict"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    removeMember: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Id of the group.
                 * @example 2
                 */
                id: number;
                /**
                 * @description Username: 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`. Names that your app creates may also have `@`, `+`, `:`, `|` and `~`. Case is ignored.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The request succeeded. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. `CONVERSATION_NOT_FOUND`: Conversation not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    blockUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Username: 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`. Names that your app creates may also have `@`, `+`, `:`, `|` and `~`. Case is ignored.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A user whom you block, and the time of the block. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Block"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    unblockUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Username: 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`. Names that your app creates may also have `@`, `+`, `:`, `|` and `~`. Case is ignored.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The request succeeded. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    listBlocks: {
        parameters: {
            query?: {
                /** @description Maximum number of items on the page. */
                limit?: number;
                /** @description `before` of the previous page. */
                before?: string;
            };
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of the users whom you block, newest block first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BlockList"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    sync: {
        parameters: {
            query?: {
                /** @description The newest cursor that you received. */
                cursor?: string;
                /** @description Maximum number of items on the page. */
                limit?: number;
                /** @description Seconds to wait for an event if there is none after the cursor. */
                wait?: number;
            };
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of events, in order. The next page begins at `cursor`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SyncPage"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `CURSOR_UNKNOWN`: Unknown cursor. */
            410: components["responses"]["Gone"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    connect: {
        parameters: {
            query?: {
                /** @description The newest cursor that you received. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The connection is now a WebSocket. */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. `ORIGIN_NOT_ALLOWED`: This origin is not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UPGRADE_REQUIRED`: This path requires a WebSocket. */
            426: components["responses"]["UpgradeRequired"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    createToken: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Username: 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`. Names that your app creates may also have `@`, `+`, `:`, `|` and `~`. Case is ignored.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenRequest"];
            };
        };
        responses: {
            /** @description A token and its user. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    logOutUser: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Username: 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`. Names that your app creates may also have `@`, `+`, `:`, `|` and `~`. Case is ignored.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The request succeeded. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    getEvents: {
        parameters: {
            query?: {
                /** @description The newest cursor that you received. `0` is the cursor of the beginning. */
                cursor?: string;
                /** @description Maximum number of items on the page. */
                limit?: number;
                /** @description Seconds to wait for an event if there is none after the cursor. */
                wait?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of the changes of everybody, in order. The next page begins at `cursor`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FeedPage"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `CURSOR_UNKNOWN`: Unknown cursor. */
            410: components["responses"]["Gone"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    getWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of the webhook: 1 to 64 letters, digits, `_` or `-`.
                 * @example orders
                 */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A webhook and the state of its delivery. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `WEBHOOK_NOT_FOUND`: Webhook not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    putWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of the webhook: 1 to 64 letters, digits, `_` or `-`.
                 * @example orders
                 */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookRequest"];
            };
        };
        responses: {
            /** @description A webhook, with its secret if it is new. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PutWebhook"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `TOO_MANY_WEBHOOKS`: Too many webhooks. */
            409: components["responses"]["Conflict"];
            /** @description `CURSOR_UNKNOWN`: Unknown cursor. */
            410: components["responses"]["Gone"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    deleteWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of the webhook: 1 to 64 letters, digits, `_` or `-`.
                 * @example orders
                 */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The request succeeded. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `WEBHOOK_NOT_FOUND`: Webhook not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    listWebhooks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All webhooks. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookList"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    rotateWebhookSecret: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of the webhook: 1 to 64 letters, digits, `_` or `-`.
                 * @example orders
                 */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The new secret of a webhook. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RotatedSecret"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `WEBHOOK_NOT_FOUND`: Webhook not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    moveWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of the webhook: 1 to 64 letters, digits, `_` or `-`.
                 * @example orders
                 */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MoveRequest"];
            };
        };
        responses: {
            /** @description A webhook and the state of its delivery. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `WEBHOOK_NOT_FOUND`: Webhook not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `CURSOR_UNKNOWN`: Unknown cursor. */
            410: components["responses"]["Gone"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    testWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Name of the webhook: 1 to 64 letters, digits, `_` or `-`.
                 * @example orders
                 */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The result of a test request. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookTest"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `WEBHOOK_NOT_FOUND`: Webhook not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `RATE_LIMITED`: Too many requests. */
            429: components["responses"]["TooManyRequests"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    suspendUser: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Username: 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`. Names that your app creates may also have `@`, `+`, `:`, `|` and `~`. Case is ignored.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SuspensionRequest"];
            };
        };
        responses: {
            /** @description Why and until when an account is suspended. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Suspension"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    endSuspension: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Username: 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`. Names that your app creates may also have `@`, `+`, `:`, `|` and `~`. Case is ignored.
                 * @example bob
                 */
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The request succeeded. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    listReports: {
        parameters: {
            query?: {
                /** @description Only reports with this status. */
                status?: "open" | "resolved" | "dismissed";
                /** @description Maximum number of items on the page. */
                limit?: number;
                /** @description `before` of the previous page. */
                before?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of reports, newest first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReportList"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    setReport: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Id of the report.
                 * @example 8
                 */
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ReportStatusRequest"];
            };
        };
        responses: {
            /** @description A report of a message, with the text that the member saw. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. */
            403: components["responses"]["Forbidden"];
            /** @description `REPORT_NOT_FOUND`: Report not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    putGroup: {
        parameters: {
            query?: never;
            header?: {
                /** @description Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply. */
                "on-behalf-of"?: string;
            };
            path: {
                /**
                 * @description Key of the group, which you choose: 1 to 128 printable ASCII characters, percent-encoded, but not `.` or `..`.
                 * @example order-4711
                 */
                key: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["GroupRequest"];
            };
        };
        responses: {
            /** @description A conversation as you see it. A direct conversation has `peer`, the marks of the peer and, if the peer has one, `peer_profile`. A group has `title`, `key` and `metadata` if it has them, and, while you are a member, your `role`. `last_message` is absent if there is no message that you may read. */
            200: {
                headers: {
                    /** @description Present only if the group existed. The response is the group in its current state. */
                    "Idempotent-Replayed"?: "true";
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Conversation"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. `INVALID_JSON`: Invalid JSON. `VALIDATION_FAILED`: The request is not valid. */
            400: components["responses"]["BadRequest"];
            /** @description `UNAUTHORIZED`: A valid token is required. */
            401: components["responses"]["Unauthorized"];
            /** @description `FORBIDDEN`: Not allowed. `ACCOUNT_SUSPENDED`: The account is suspended. `BLOCKED`: A block prevents this. */
            403: components["responses"]["Forbidden"];
            /** @description `USER_NOT_FOUND`: User not found. */
            404: components["responses"]["NotFound"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `PAYLOAD_TOO_LARGE`: The request is too large. */
            413: components["responses"]["PayloadTooLarge"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `UNSUPPORTED_MEDIA_TYPE`: The body must be application/json. */
            415: components["responses"]["UnsupportedMediaType"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `ISSUER_UNAVAILABLE`: The issuer of the token is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
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
            /** @description The server is healthy. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. */
            400: components["responses"]["BadRequest"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
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
            /** @description The server is healthy. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. */
            400: components["responses"]["BadRequest"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `INTERNAL`: Internal error. */
            500: components["responses"]["InternalError"];
            /** @description `OVERLOADED`: The server is overloaded. `STORAGE_UNAVAILABLE`: The database is unavailable. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
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
            /** @description The metrics in the text format of Prometheus. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description `BAD_REQUEST`: The request is malformed. */
            400: components["responses"]["BadRequest"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
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
            /** @description `BAD_REQUEST`: The request is malformed. */
            400: components["responses"]["BadRequest"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `OVERLOADED`: The server is overloaded. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
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
            /** @description `BAD_REQUEST`: The request is malformed. */
            400: components["responses"]["BadRequest"];
            /** @description `METHOD_NOT_ALLOWED`: Method not allowed. */
            405: components["responses"]["MethodNotAllowed"];
            /** @description `REQUEST_TIMEOUT`: The request took too long to arrive. */
            408: components["responses"]["RequestTimeout"];
            /** @description `URI_TOO_LONG`: The URL is too long. */
            414: components["responses"]["UriTooLong"];
            /** @description `HEADERS_TOO_LARGE`: The headers are too large. */
            431: components["responses"]["HeadersTooLarge"];
            /** @description `OVERLOADED`: The server is overloaded. `SHUTTING_DOWN`: The server is shutting down. */
            503: components["responses"]["Unavailable"];
        };
    };
    receiveEvents: {
        parameters: {
            query?: never;
            header: {
                /** @description See Standard Webhooks 1.0. */
                "webhook-id": string;
                /** @description See Standard Webhooks 1.0. */
                "webhook-timestamp": string;
                /** @description See Standard Webhooks 1.0. */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookBatch"];
            };
        };
        responses: {
            /** @description The events are stored. Any 2xx says so. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The receiver has another cursor, which the body names: `{"cursor": "…"}`. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The receiver is gone: the server disables the webhook. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
}
