# SPDX-License-Identifier: Apache-2.0
"""How a body says what it is: charset, encoding and size."""

import pytest

from api.tests.test_requests import build, problem
from stratoplane_api.endpoints import SMALL_BODY


@pytest.fixture(scope="module")
def client():
    return build().test_client()


@pytest.fixture
def send(client):
    def call(method, path, headers=(), **options):
        return client.open(path, method=method, headers={"Authorization": "Bearer tenant", **dict(headers)}, **options)

    return call


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "utf8"])
def test_a_media_type_with_the_charset_of_json_is_json(send, charset):
    kind = f"application/json; charset={charset}"

    assert send("POST", "/api/tenant/v1/things", data=b'{"name": "a"}', content_type=kind).status_code == 201


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "us-ascii", "utf-7", "nonsense"])
def test_another_charset_is_refused_even_if_the_bytes_are_the_same(send, charset):
    kind = f"application/json; charset={charset}"
    response = send("POST", "/api/tenant/v1/things", data=b'{"name": "a"}', content_type=kind)

    assert charset in problem(response, 415, "unsupported_media_type")["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "nonsense", ""])
def test_a_body_in_another_encoding_is_refused(send, encoding):
    headers = {"Content-Encoding": encoding}
    response = send("POST", "/api/tenant/v1/things", json={"name": "a"}, headers=headers)

    problem(response, 415, "unsupported_media_type")


def test_a_body_that_is_not_encoded_may_say_so(send):
    response = send("POST", "/api/tenant/v1/things", json={"name": "a"}, headers={"Content-Encoding": "Identity"})

    assert response.status_code == 201


def test_a_body_that_is_too_large_is_told_the_limit_in_bytes(send):
    body = b'{"name": "' + b"a" * SMALL_BODY + b'"}'
    response = send("POST", "/api/tenant/v1/things", data=body, content_type="application/json")

    assert f"{SMALL_BODY} bytes" in problem(response, 413, "body_too_large")["detail"]
