# SPDX-License-Identifier: Apache-2.0
"""What the API shows, as frozen records. Statuses are plain text: a newer server may have more of them."""
