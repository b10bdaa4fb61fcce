# SPDX-License-Identifier: Apache-2.0
"""The kinds of resources: what each may be asked for, what it holds of a quota, what it uses, and its workflows."""
