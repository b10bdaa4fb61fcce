# SPDX-License-Identifier: Apache-2.0
"""All SQL of the platform: tables, connections, migrations and queries. Nothing outside this package writes SQL."""
