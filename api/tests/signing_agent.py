# SPDX-License-Identifier: Apache-2.0
"""An agent as the control plane sees it: requests that its key signed."""

import base64
import time
from dataclasses import dataclass
from typing import Any

import orjson
from flask.testing import FlaskClient

from stratoplane.join_tokens import read_join_token, rotation_proof
from stratoplane.signatures import Message, sign_request
from stratoplane_engine import signing_keys as keys

AGENT = "/api/agent/v1"


@dataclass(kw_only=True)
class Agent:
    """An agent with a key of its own, which signs each of its requests."""

    client: FlaskClient
    id: str
    key: str
    generation: int = 1
    process: str = ""
    clock_error: int = 0
    prefix: str = AGENT

    def headers(self, path: str, body: bytes) -> dict[str, str]:
        """Return the headers of a request, ready to be sent or to be tampered with."""
        proof = sign_request(
            Message(method="POST", path=f"{self.prefix}{path}"),
            body,
            key_id=f"{self.id}:{self.generation}" + (f":{self.process}" if self.process else ""),
            created=int(time.time()) + self.clock_error,
            sign=lambda message: keys.sign(self.key, message),
        )
        return {**proof, "Content-Type": "application/json"}

    def __call__(self, method: str, path: str, json: Any = None, *, data: bytes | None = None, **options: Any) -> Any:
        body = data if data is not None else orjson.dumps({} if json is None else json)
        return self.client.open(
            f"{self.prefix}{path}", method=method, data=body, headers=self.headers(path, body), **options
        )

    def rotate(self, key: str, generation: int | None = None) -> Any:
        """Bring the next key; this agent goes on signing with the present one until :meth:`use`."""
        number = self.generation + 1 if generation is None else generation
        proof = base64.b64encode(keys.sign(key, rotation_proof(self.id, number))).decode()
        body = {"generation": number, "public_key": keys.public_key_of(key), "proof": proof}
        return self("POST", "/keys", body)

    def use(self, key: str) -> None:
        self.key, self.generation = key, self.generation + 1


def enrol_agent(client, token, name="agent", **more):
    """Enrol with a key that is made here; return the answer and the key."""
    key = keys.new_private_key()
    secret = read_join_token(token).secret if "_" in token.removeprefix("spt_join_") else token
    body = {"join_token": secret, "name": name, "version": "1", "public_key": keys.public_key_of(key), **more}
    text = orjson.dumps(body)
    proof = sign_request(
        Message(method="POST", path=f"{AGENT}/enrol"),
        text,
        key_id="enrolment",
        created=int(time.time()),
        sign=lambda message: keys.sign(key, message),
    )
    return client.post(f"{AGENT}/enrol", data=text, headers={**proof, "Content-Type": "application/json"}), key
