# SPDX-License-Identifier: Apache-2.0
"""The agent of one cluster: takes operations from the control plane and carries them out through drivers."""
