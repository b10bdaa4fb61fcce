# SPDX-License-Identifier: Apache-2.0
"""The control plane without HTTP: database, services, workflows, runner, worker and scheduler."""
