"""Uses the client that openapi-python-client made: python every_step.py <its folder> <address of the server>."""

import sys

sys.path.insert(0, sys.argv[1])
from messenger_client import AuthenticatedClient, Client
from messenger_client.api.accounts import login
from messenger_client.api.conversations import list_messages
from messenger_client.api.groups import create_group
from messenger_client.api.messages import get_history, send_message
from messenger_client.api.stream import sync
from messenger_client.models import (
    GroupRequest,
    LoginRequest,
    Problem,
    SendRequest,
    SentMessage,
    SyncPage,
)

url = sys.argv[2]


def log_in(name):
    session = login.sync(client=Client(base_url=url), body=LoginRequest(username=name))
    return AuthenticatedClient(base_url=url, token=session.token)


alice, bob = log_in("alice"), log_in("bob")
start = sync.sync(client=bob)

request = SendRequest(receiver_username="bob", content="hello", client_id="python-1")
sent = send_message.sync(client=alice, body=request)
assert isinstance(sent, SentMessage) and sent.sender == "alice", sent
again = send_message.sync_detailed(client=alice, body=request)
assert again.parsed.id == sent.id and again.headers["idempotent-replayed"] == "true", again

history = get_history.sync(username="alice", client=bob)
assert [message.content for message in history] == ["hello"], history
page = list_messages.sync_detailed(sent.conversation_id, client=bob, limit=1)
assert page.headers["has-older"] == "false", page.headers

create_group.sync(client=alice, body=GroupRequest(title="Climbing", members=["bob"]))
wrong = send_message.sync(client=alice, body=SendRequest(receiver_username="nobody", content="x"))
assert isinstance(wrong, Problem) and wrong.code == "USER_NOT_FOUND", wrong
wrong = send_message.sync(client=alice, body=SendRequest(receiver_username="bob", content=""))
assert wrong.errors[0].in_ == "body" and wrong.errors[0].path == "/content", wrong

# The server of the test adds an event of a type and a conversation of a kind that no document has.
events = sync.sync(client=bob, cursor=start.cursor)
assert isinstance(events, SyncPage), events
types = [event.type_ for event in events.events]
assert types == ["conversation", "message", "conversation", "poll"], types
message = events.events[1]
assert (message.id, message.content, message.cursor) == (sent.id, "hello", message.cursor), message
assert events.events[2].kind == "channel", events.events[2]
assert events.events[3].additional_properties["question"] == "Lunch?", events.events[3]
print("done")
