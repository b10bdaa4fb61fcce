# SPDX-License-Identifier: Apache-2.0
"""The inventory: what is ours, whole at first and then what changed."""


def test_inventory_lists_what_is_ours(control_plane, agent, machine):
    control_plane.inventory_seconds = 0.2
    agent.start()
    spec = machine()
    control_plane.result(control_plane.queue("virtual_machine", "create", spec.uid, spec))
    found = control_plane.wait_until(
        lambda: [each for each in control_plane.inventories.get("virtual_machine", ()) if each.items], "inventory"
    )

    assert [(item.uid, item.kind, item.status["name"]) for item in found[-1].items] == [
        (spec.uid, "virtual_machine", "web")
    ]
    control_plane.wait_until(lambda: len(control_plane.inventories) == 4, "all four kinds")


def test_between_two_snapshots_the_inventory_says_what_changed(control_plane, agent, machine):
    control_plane.inventory_seconds = 0.2
    agent.start()
    spec, other = machine("one"), machine("two")
    control_plane.result(control_plane.queue("virtual_machine", "create", spec.uid, spec))
    seen = lambda: control_plane.inventories.get("virtual_machine", ())  # noqa: E731  # short and local
    control_plane.wait_until(lambda: any(spec.uid in {i.uid for i in each.items} for each in seen()), "the first")
    control_plane.result(control_plane.queue("virtual_machine", "create", other.uid, other))
    control_plane.wait_until(lambda: any(other.uid in {i.uid for i in each.items} for each in seen()), "the second")
    control_plane.result(control_plane.queue("virtual_machine", "delete", spec.uid))
    gone = control_plane.wait_until(lambda: [each for each in seen() if spec.uid in each.gone], "it is gone")[0]
    idle = control_plane.wait_until(lambda: [each for each in seen() if each.sequence > gone.sequence], "an idle one")[
        0
    ]

    assert gone.sequence > 0
    assert (idle.items, idle.gone) == ((), ())


def test_a_snapshot_is_sent_when_the_control_plane_asks_for_one(control_plane, agent, machine):
    control_plane.inventory_seconds = 0.2
    agent.start()
    seen = lambda: control_plane.inventories.get("virtual_machine", ())  # noqa: E731  # short and local
    control_plane.wait_until(lambda: any(each.sequence for each in seen()), "a delta")
    before = {each.snapshot for each in seen()}
    with control_plane.changed:
        control_plane.snapshots.clear()

    fresh = control_plane.wait_until(lambda: [each for each in seen() if each.snapshot not in before], "a new one")[0]
    assert fresh.sequence == 0


def test_objects_with_one_mark_are_one_item_that_names_the_others(control_plane, agent, machine):
    control_plane.inventory_seconds = 0.2
    agent.start()
    spec = machine("copied")
    control_plane.result(control_plane.queue("virtual_machine", "create", spec.uid, spec))
    seen = lambda: control_plane.inventories.get("virtual_machine", ())  # noqa: E731  # short and local
    found = control_plane.wait_until(lambda: [each for each in seen() if each.items], "it is listed")[0]
    ((item,), original) = found.items, f"lab-{spec.uid}"
    assert (item.uid, item.status["provider_reference"], item.others) == (spec.uid, "copy", (original,))
    later = control_plane.wait_until(lambda: [each for each in seen() if each.sequence > found.sequence], "a delta")
    assert later[0].items == ()
