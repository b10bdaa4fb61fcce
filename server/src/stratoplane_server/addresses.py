# SPDX-License-Identifier: Apache-2.0
"""Descriptions of server addresses without passwords."""

from urllib.parse import parse_qs, unquote, urlsplit


def describe_url(url: str) -> str:
    """Return host, port and database of a PostgreSQL or Valkey URL, never its user, password or options."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    hosts = parts.netloc.rpartition("@")[2] or ",".join(parse_qs(parts.query).get("host", ["this host"]))
    return unquote(hosts + parts.path.rstrip("/"))
