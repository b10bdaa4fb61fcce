# SPDX-License-Identifier: Apache-2.0
"""The job engine: jobs are claimed, moved by a pure runner, and what became of them is persisted."""
