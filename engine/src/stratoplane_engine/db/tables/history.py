# SPDX-License-Identifier: Apache-2.0
"""What happened, and what was last seen at the clusters."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

from stratoplane_engine.db.tables.columns import (
    TransactionNumber,
    count,
    identifier,
    json_object,
    metadata,
    text_column,
    timestamp_column,
)

audit_event = Table(
    "audit_event",
    metadata,
    identifier(),
    Column("organization_id", Uuid, nullable=True),
    Column("project_id", Uuid, nullable=True),
    text_column("action", None),
    text_column("outcome", None),
    text_column("actor", None),
    Column("subject_id", Uuid, nullable=True),
    text_column("subject_name"),
    text_column("request_id"),
    text_column("trace_id"),
    json_object("detail"),
    timestamp_column("occurred_at", default=True),
    Column("transaction", TransactionNumber, nullable=False, server_default=func.pg_current_xact_id()),
    Index("audit_event_organization_idx", "organization_id", "id"),
    Index("audit_event_page_idx", "organization_id", "project_id", "id"),
    Index("audit_event_subject_idx", "organization_id", "subject_id", "id"),
    Index("audit_event_transaction_idx", "transaction"),
)

# The right edge of the tree over the sealed events, and the transaction from which the next ones are looked for.
audit_tree = Table(
    "audit_tree",
    metadata,
    Column("only_one", Boolean, primary_key=True, server_default=text("true")),
    count("size"),
    Column("peaks", LargeBinary, nullable=False, server_default=text("''")),
    Column("sealed_to", TransactionNumber, nullable=False, server_default=text("'0'")),
    CheckConstraint("only_one", name="only_one"),
)

audit_leaf = Table(
    "audit_leaf",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", Uuid, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    UniqueConstraint("event_id"),
)

audit_checkpoint = Table(
    "audit_checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    timestamp_column("sealed_at"),
    text_column("note", None),
)

inventory = Table(
    "inventory",
    metadata,
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    Column("uid", Uuid, nullable=False),
    text_column("kind", None),
    json_object("status"),
    timestamp_column("first_seen_at", default=True),
    timestamp_column("seen_at", default=True),
    timestamp_column("changed_at", default=True),
    # The provider's ids of further objects with the same mark.
    json_object("others", "[]"),
    PrimaryKeyConstraint("cluster_id", "uid"),
    Index("inventory_changed_at_idx", "changed_at"),
)

# When an agent last began to list the objects of a kind, and did list them all.
inventory_report = Table(
    "inventory_report",
    metadata,
    Column("cluster_id", Uuid, ForeignKey("cluster.id"), nullable=False),
    text_column("kind", None),
    timestamp_column("taken_at"),
    Column("snapshot_id", Uuid, nullable=True),
    count("sequence"),
    PrimaryKeyConstraint("cluster_id", "kind"),
)
