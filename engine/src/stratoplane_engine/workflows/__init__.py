# SPDX-License-Identifier: Apache-2.0
"""What jobs do, as steps. A step is a pure function of its context."""
