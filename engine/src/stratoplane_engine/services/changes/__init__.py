# SPDX-License-Identifier: Apache-2.0
"""Changes of resources: a request is resolved, judged, placed and written with its job in one transaction.

A create goes through the modules in this order: :mod:`.create`, ``db.references``, the kind, ``services.placement``,
:mod:`.rows`, ``db.changes``. It takes two round trips: one that resolves, one that writes and commits.
"""
