"""Sends on behalf of a user, with a client that is generated from the API document.

    pip install openapi-python-client==0.29.1
    openapi-python-client generate --path docs/openapi.json --output-path sdk
    MESSENGER_KEY=msk_… PYTHONPATH=sdk python examples/python/send.py
"""

import os

from messenger_client import AuthenticatedClient
from messenger_client.api.app import put_user
from messenger_client.api.messages import send_message
from messenger_client.models import SendRequest, SentMessage, UserRequest

url = os.environ.get("MESSENGER_URL", "http://localhost:3000")
app = AuthenticatedClient(base_url=url, token=os.environ["MESSENGER_KEY"])

for name in ("ann", "shop"):
    put_user.sync(name, client=app, body=UserRequest(display_name=name.title()))

# A repeat with the same client_id returns the first message, and stores nothing.
request = SendRequest(receiver_username="ann", content="Your order has left.", client_id="order-4711-left")
sent = send_message.sync(client=app, body=request, on_behalf_of="shop")
assert isinstance(sent, SentMessage), sent
print(f"{sent.sender} sent message {sent.id}")
