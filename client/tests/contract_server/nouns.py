# SPDX-License-Identifier: Apache-2.0
"""What is changed at once, without a job: logging in, and everything that tenants and operators keep."""

from typing import Final

from client.tests.contract_server.document import Json, document, later, new_id, now
from client.tests.contract_server.exchange import Answer, Call, Refusal, check_match, etag, page, serves
from client.tests.contract_server.state import State

_SECRETS: Final = ("password", "expires_in")


@serves("log_in")
def log_in(state: State, call: Call) -> Answer:
    """Exchange a password for a token."""
    username = call.body["username"]
    if state.passwords.get(username) != call.body["password"]:
        raise Refusal(401, "authentication_failed", "the username or the password is wrong")
    token = new_id()
    state.tokens[token] = username
    user = next(each for each in state.stored["users"] if each["username"] == username)
    return Answer(body={"token": token, "token_id": new_id(), "expires_at": now(), "user": user})


@serves("log_out")
def log_out(state: State, call: Call) -> Answer:
    """End the token of the call."""
    del state.tokens[call.headers["authorization"].removeprefix("Bearer ")]
    return Answer(status=204)


@serves("get_me")
def show_caller(state: State, call: Call) -> Answer:
    """Tell who the token stands for."""
    user = next(each for each in state.stored["users"] if each["username"] == call.username)
    grant = {
        "scope": "PLATFORM" if call.username in state.operators else "ORGANIZATION",
        "organization_id": state.organization["id"],
        "project_id": None,
        "permissions": ["resource:read"],
    }
    return Answer(body={"user": user, "organization": state.organization, "grants": [grant]})


@serves("get_openapi")
def show_document(_state: State, _call: Call) -> Answer:
    """Show the document."""
    return Answer(body=document().whole)


@serves("get_version")
def show_version(_state: State, _call: Call) -> Answer:
    """Tell which platform this is."""
    return Answer(body={"version": "0.1.0", "api": "v1"})


@serves("get_health")
def show_health(_state: State, _call: Call) -> Answer:
    """Tell that all is well."""
    return Answer(body={"status": "ok", "checks": [{"name": "database", "status": "ok", "detail": ""}]})


@serves("get_live")
def show_live(_state: State, _call: Call) -> Answer:
    """Tell that the process runs."""
    return Answer(body={"status": "ok"})


@serves("get_ready")
def show_ready(_state: State, _call: Call) -> Answer:
    """Tell that requests are served."""
    return Answer(body={"status": "ok"})


@serves("get_own_organization")
def show_own_organization(state: State, _call: Call) -> Answer:
    """Show the caller's organization."""
    return Answer(body=state.organization, headers={"ETag": etag(state.organization)})


@serves(
    *(
        "list_tokens",
        "list_flavors",
        "list_images",
        "list_cluster_names",
        "list_projects",
        "list_all_projects",
        "list_users",
        "list_roles",
    ),
    *("list_role_bindings", "list_organizations", "list_all_users", "list_all_roles", "list_all_role_bindings"),
    *("list_clusters", "list_all_flavors", "list_all_images", "list_agents", "list_providers", "list_plugins"),
    *("list_leaks", "list_incidents", "list_drift", "list_orphans", "list_foreign_objects", "list_audit_checkpoints"),
)
def list_stored(state: State, call: Call) -> Answer:
    """List one collection."""
    return page(call, state.stored[call.operation.collection])


@serves("list_drift_policies")
def list_drift_policies(state: State, _call: Call) -> Answer:
    """List what is done about drift."""
    return Answer(body={"items": state.stored["drift-policies"]})


@serves("set_drift_policy")
def set_drift_policy(state: State, call: Call) -> Answer:
    """Set what is done about drift of one field."""
    policy = _policy(state, call)
    policy.update(call.body, is_set=True)
    return Answer(body=policy)


@serves("reset_drift_policy")
def reset_drift_policy(state: State, call: Call) -> Answer:
    """Return to the platform's own policy."""
    policy = _policy(state, call)
    policy.update(policy=policy["allowed"][0], is_set=False)
    return Answer(status=204)


@serves(
    *("create_token", "create_project", "create_user", "create_role_binding", "create_organization"),
    *("create_any_user", "create_any_role_binding", "create_cluster", "create_flavor", "create_image"),
)
def create(state: State, call: Call) -> Answer:
    """Create an object; its name must be free."""
    collection, among = call.operation.collection, state.stored[call.operation.collection]
    noun = collection.removesuffix("s")
    name = call.body.get("name") or call.body.get("username")
    if name is not None and any(name in (each.get("name"), each.get("username")) for each in among):
        raise Refusal(409, "name_taken", f"there is a {noun} named {name!r} already; choose another name")
    given = {name: value for name, value in call.body.items() if name not in _SECRETS}
    made = document().blank(document().answer_schema(call.operation, 201), **given)
    made["id"] = new_id()
    # What a schema without this member would not show is left out again by whoever answers with it.
    made.update({name: value for name, value in _facts(state, call, made).items() if name in made})
    among.append(made)
    return Answer(status=201, body=made, headers={"ETag": etag(made)} if "version" in made else {})


@serves(
    *("get_project", "get_user", "get_organization", "get_any_user", "get_cluster", "get_flavor", "get_image"),
)
def show(state: State, call: Call) -> Answer:
    """Show one object."""
    found = _found(state, call)
    return Answer(body=found, headers={"ETag": etag(found)})


@serves("update_project", "update_organization", "update_cluster", "update_flavor", "update_image")
def update(state: State, call: Call) -> Answer:
    """Change what is given."""
    found = _found(state, call)
    check_match(call, found)
    found.update(call.body, version=found["version"] + 1, updated_at=now())
    return Answer(body=found, headers={"ETag": etag(found)})


@serves(
    *("delete_token", "delete_project", "delete_user", "delete_role_binding", "delete_organization"),
    *("delete_any_user", "delete_any_role_binding", "delete_cluster", "delete_flavor", "delete_image"),
)
def delete(state: State, call: Call) -> Answer:
    """Delete one object."""
    found = _found(state, call)
    if "version" in found:
        check_match(call, found)
    state.stored[call.operation.collection].remove(found)
    return Answer(status=204)


@serves("create_join_token")
def create_join_token(state: State, call: Call) -> Answer:
    """Create a token for the agent of a cluster."""
    cluster = state.by_id(state.stored["clusters"], call.ids[0], "cluster")
    return Answer(
        status=201, body={"id": new_id(), "cluster_id": cluster["id"], "token": "join-me", "expires_at": now()}
    )


def _found(state: State, call: Call) -> Json:
    collection = call.operation.collection
    return state.by_id(state.stored[collection], call.ids[0], collection.removesuffix("s"))


def _policy(state: State, call: Call) -> Json:
    wanted = (call.body["kind"], call.body["field"], call.body.get("driver", "*"))
    for each in state.stored["drift-policies"]:
        if (each["kind"], each["field"], each["driver"]) == wanted:
            return each
    raise Refusal(404, "resource_not_found", "no policy is set for this field")


def _facts(state: State, call: Call, made: Json) -> Json:
    """Return what the server itself says of a new object; a new user's password is remembered."""
    if "password" in call.body:
        state.passwords[made["username"]] = call.body["password"]
    facts: Json = {"version": 1, "enabled": True, "kind": "api", "token": f"secret-{made['id']}"}
    if "organization_id" not in call.body:
        facts["organization_id"] = state.organization["id"]
    if call.operation.operation_id == "create_token":
        state.tokens[facts["token"]] = call.username
    if "expires_in" in call.body:
        facts["expires_at"] = later(call.body["expires_in"])
    if "user_id" in call.body:
        facts["username"] = state.by_id(state.stored["users"], call.body["user_id"], "user")["username"]
        facts["scope"] = "PROJECT" if call.body.get("project_id") else "ORGANIZATION"
    return facts
