#!/usr/bin/env bash
# A backend in four steps, with a server key: MESSENGER_KEY=msk_… examples/curl.sh [URL]
set -euo pipefail
url=${1:-http://localhost:3000}

# call METHOD PATH [CURL OPTIONS]
call() {
  curl -sS --fail-with-body -X "$1" "$url$2" \
    -H "Authorization: Bearer $MESSENGER_KEY" -H 'Content-Type: application/json' "${@:3}"
  echo
}

# 1. Create two users, or change their profiles.
call PUT /users/ann -d '{"display_name":"Ann"}'
call PUT /users/ben -d '{"display_name":"Ben"}'

# 2. Create the group of an order. The second time it is returned as it is.
group=$(call PUT /groups/by-key/order-4711 -d '{"title":"Order 4711","members":["ann","ben"]}')
id=$(sed -E 's/^\{"id":([0-9]+).*/\1/' <<<"$group")

# 3. Send a message on behalf of Ann. The key makes it safe to repeat.
call POST /send -H 'On-Behalf-Of: ann' -H 'Idempotency-Key: order-4711-question' \
  -d "{\"conversation_id\":$id,\"content\":\"Where is my order?\"}"

# 4. Read what happened, from the beginning. The next page begins at the cursor of this one.
call GET '/events?cursor=0'
