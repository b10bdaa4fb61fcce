# SPDX-License-Identifier: Apache-2.0
"""Which clusters have an image, by what their drivers report: the one condition for placement and for lists."""

from typing import Final

IMAGE_REFERENCE: Final = """
    jsonb_build_object('uid', m.id, 'name', m.name, 'source', m.source, 'format', m.format, 'sha256', m.sha256)
"""
"""What a spec keeps of an image, a row ``m`` of the table."""


def lacks_image(cluster: str, reference: str, interface: str = ":interface") -> str:
    """Return the condition that a cluster's driver of an interface tells its images and has not this one.

    A driver has it by its source, unless both digests are known and differ, or by our id, as a copy of its own. A
    driver that does not tell may have any.

    Args:
        cluster: SQL expression of the cluster's id.
        reference: SQL expression of the image as a spec keeps it.
        interface: SQL expression of the interface of the driver that needs it.
    """
    source = f"p.images->({reference}->>'source')"
    return f"""EXISTS (SELECT FROM provider p WHERE p.cluster_id = {cluster} AND p.interface = {interface}
        AND p.images IS NOT NULL AND NOT (p.images ? ({reference}->>'uid') OR coalesce(
            {reference}->>'sha256' = '' OR {source}->>'sha256' IN ('', {reference}->>'sha256'), false)
            AND p.images ? ({reference}->>'source')))"""
